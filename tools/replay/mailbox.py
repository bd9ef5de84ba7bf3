# SPDX-License-Identifier: Apache-2.0
"""The notifications in a maildir, read with a real parser."""

import email
import email.policy
import re
from collections import Counter
from pathlib import Path


class Mailbox:
    """`new_mails` returns each mail once, in the order of delivery."""

    def __init__(self, maildir):
        self.directory, self._seen = Path(maildir) / "new", set()

    def new_mails(self):
        if not self.directory.is_dir():
            return []
        paths = [path for path in self.directory.iterdir() if path.name not in self._seen]
        paths.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        self._seen.update(path.name for path in paths)
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                for path in paths]

    @property
    def count(self):
        return len(self._seen)


def fact(mail, name):
    """What the mail's text says after "Name:", or "-"."""
    text = mail.get_body(("plain",)).get_content()
    found = re.search(r"^%s:\s*(.+?)\s*$" % re.escape(name), text, re.MULTILINE)
    return found[1] if found else "-"


def counts(mails):
    """How often each (recipient, section, type) was told."""
    return Counter((mail["To"], mail["X-Edged-Section"], mail["X-Edged-Type"]) for mail in mails)
