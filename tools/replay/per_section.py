# SPDX-License-Identifier: Apache-2.0
"""A tick as the original application did it: for each section one question to the upstream and three statements, read
the state, write it, list the watchers; six sections at a time, as many connections as a Worker may have."""

import http.client
import json
import os
import threading
from urllib.parse import urlsplit

from .cluster import Session

CONNECTIONS = 6
RUN = "per-section"


class _Address:
    """A cluster as Session knows it, behind another port."""

    def __init__(self, cluster, port):
        self._cluster, self._port = cluster, port

    def psql(self, database):
        command, environment = self._cluster.psql(database)
        return command, dict(environment, PGPORT=str(self._port))


def text(value):
    """A value as SQL has it."""
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else "'%s'" % str(value).replace("'", "''")


class Run:
    """`with` opens the connections, which is not a part of the tick; `run` does one tick."""

    def __init__(self, cluster, port, database, upstream):
        self._open = [Session(_Address(cluster, port), database) for _ in range(CONNECTIONS)]
        self._upstream, self._problems = upstream, []

    def __enter__(self):
        for session in self._open:
            session.sql("select 1")
        return self

    def __exit__(self, *problem):
        for session in self._open:
            session.__exit__(*problem)

    def run(self, sections):
        """How many statements it took."""
        counts = [0] * CONNECTIONS
        threads = [threading.Thread(target=self._work, args=(place, sections[place::CONNECTIONS], counts))
                   for place in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._problems:
            raise self._problems[0]
        return sum(counts)

    def _work(self, place, sections, counts):
        address = urlsplit(self._upstream.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        try:
            for section in sections:
                counts[place] += self._one(self._open[place], connection, section)
        except Exception as problem:  # told by run(), on the caller's thread
            self._problems.append(problem)
        finally:
            connection.close()

    def _one(self, session, connection, section):
        connection.request("POST", "/scrape", json.dumps({"sectionNumber": section.number, "term": section.term}), {
            "Authorization": "Bearer " + self._upstream.token, "X-Edged-Run": RUN})
        answer = json.load(connection.getresponse())
        session.sql("select * from public.class_states where class_nbr = %s" % text(section.number))
        data = answer.get("data") or {}
        seats, capacity = data.get("seats_available") or 0, data.get("seats_capacity") or 0
        session.sql("insert into public.class_states (term, subject, catalog_nbr, class_nbr, title, instructor_name, "
                    "seats_available, seats_capacity, last_checked_at) values (%s, now()) on conflict (class_nbr) do "
                    "update set instructor_name = excluded.instructor_name, seats_available = excluded.seats_available, "
                    "seats_capacity = excluded.seats_capacity, last_checked_at = now()" % ", ".join(map(text, (
                        section.term, section.subject or "", section.catalog_nbr or "", section.number,
                        section.title, data.get("instructor"), seats, capacity))))
        session.sql("select w.id, u.email from public.class_watches w join auth.users u on u.id = w.user_id "
                    "where w.class_nbr = %s" % text(section.number))
        return 3
