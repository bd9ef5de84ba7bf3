# SPDX-License-Identifier: Apache-2.0
"""Recorded enrolment history as a living upstream, and what is needed to run edged against it.

history: the recording as frames.  upstream: an HTTP server that answers one frame.  oracle: which
notifications a replay must cause.  cluster: a private PostgreSQL.  delay_proxy: a slow network in
front of it.  deployment: a configured edged with database, namespace, students and watches.
fleet: its processes, killed and back again.  chaos: what happens to them.  verdict: what was told
against the oracle.  soak: a whole recording under chaos, tools/soak replay.
"""
