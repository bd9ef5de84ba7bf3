#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An SMTP server for tests that accepts mails, writes them down, and fails on purpose.

Each message that it accepts becomes one line of the ledger, a JSON object, before the server says
250: {"at": seconds, "message_id": ..., "from": ..., "to": [...], "content": ...}, and "unanswered":
true if that 250 is never said. With --maildir the messages also become files of a maildir. With
--faults N one transaction in N meets a fault at a step that --seed chooses; a fault after the dot,
or instead of the 250, comes after the message was written down: the window in which plain SMTP may
give a mail twice.
"""
import argparse
import base64
import email
import email.policy
import json
import os
import random
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time

STEPS = ("connect", "greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "dot",
         "accepted")
KINDS = ("cut", "stall", "4xx", "5xx")
MESSAGE_BYTES_MAX = 32 * 1024 * 1024
LINE_BYTES_MAX = 64 * 1024


class Cut(Exception):
    """The connection ends here."""


class Ledger:
    """What was accepted, in the order in which it was; safe for many threads."""

    def __init__(self, path, maildir=None):
        self._file = open(path, "a", encoding="utf-8") if path else None
        self._maildir = maildir
        self._lock = threading.Lock()
        self.count = 0
        if maildir:
            for folder in ("tmp", "new", "cur"):
                os.makedirs(os.path.join(maildir, folder), exist_ok=True)

    def accept(self, sender, recipients, content, unanswered=False):
        if not self._file and not self._maildir:
            with self._lock:
                self.count += 1
            return
        message = email.message_from_bytes(content, policy=email.policy.compat32)
        entry = {"at": round(time.time(), 6), "message_id": message["Message-ID"] or "",
                 "from": sender, "to": recipients, "content": content.decode("latin-1")}
        if unanswered:
            entry["unanswered"] = True
        with self._lock:
            self.count += 1
            if self._maildir:
                name = "%d.%d_%d.sink" % (time.time(), os.getpid(), self.count)
                path = os.path.join(self._maildir, "tmp", name)
                with open(path, "wb") as file:
                    file.write(content)
                os.rename(path, os.path.join(self._maildir, "new", name))
            if self._file:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()


class Faults:
    """Which transaction meets which fault; the same for the same seed and order."""

    def __init__(self, one_in=0, seed=0, steps=STEPS, kinds=KINDS):
        self.one_in, self.steps, self.kinds = one_in, steps, kinds
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.met = {}

    def choose(self):
        """(step, kind) or None."""
        with self._lock:
            if not self.one_in or self._random.randrange(self.one_in):
                return None
            return self._random.choice(self.steps), self._random.choice(self.kinds)

    def note(self, step, kind):
        with self._lock:
            name = step + " " + kind
            self.met[name] = self.met.get(name, 0) + 1


class Session(socketserver.BaseRequestHandler):
    """One connection."""

    def setup(self):
        self.buffer = b""
        self.sender, self.recipients = None, []
        self.secure = self.logged_in = False
        self.fault = self.server.faults.choose()
        self.request.settimeout(self.server.idle_seconds)

    def handle(self):
        try:
            self.meet("connect")
            if self.server.tls and self.server.implicit:
                self.wrap()
            self.reply("220 sink ESMTP", "greeting")
            while self.command(self.line()):
                pass
        except (Cut, OSError, ssl.SSLError):
            pass

    # What the commands are made of.

    def line(self):
        while b"\n" not in self.buffer:
            if len(self.buffer) > LINE_BYTES_MAX:
                raise Cut
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def fill(self):
        received = self.request.recv(65536)
        if not received:
            raise Cut
        self.buffer += received

    def say(self, text):
        self.request.sendall(text.encode() + b"\r\n")

    def reply(self, text, step):
        """Says `text`, unless the fault of this transaction is at `step`. True: it was said."""
        if self.meet(step):
            return False
        self.say(text)
        return True

    def meet(self, step):
        """True: the fault is an answer, which was given."""
        if not self.fault or self.fault[0] != step:
            return False
        kind = self.fault[1]
        self.fault = None
        answers = {"4xx": "451 4.3.0 A fault of this moment", "5xx": "554 5.6.0 A lasting fault"}
        if step == "connect" or step == "accepted":
            kind = "stall" if kind == "stall" else "cut"
        self.server.faults.note(step, kind)
        if kind in answers:
            self.say(answers[kind])
            return True
        if kind == "stall":
            self.server.ended.wait(self.server.stall_seconds)
        raise Cut

    def wrap(self):
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.request.settimeout(self.server.idle_seconds)
        self.secure, self.buffer = True, b""

    # Commands.

    def command(self, line):
        word, _, rest = line.partition(" ")
        handler = getattr(self, "on_" + word.lower(), None) if word.isalpha() else None
        if handler is None:
            self.say("500 5.5.1 No such command")
            return True
        return handler(rest)

    def on_ehlo(self, _):
        offers = ["sink", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 33554432"]
        if self.server.tls and not self.secure:
            offers.append("STARTTLS")
        if self.server.login:
            offers.append("AUTH PLAIN LOGIN")
        lines = ["250-" + offer for offer in offers[:-1]] + ["250 " + offers[-1]]
        self.reply("\r\n".join(lines), "EHLO")
        return True

    def on_helo(self, _):
        self.reply("250 sink", "EHLO")
        return True

    def on_starttls(self, _):
        if not self.server.tls or self.secure:
            self.say("502 5.5.1 Not offered")
        elif self.reply("220 2.0.0 Go ahead", "STARTTLS"):
            self.wrap()
        return True

    def on_auth(self, rest):
        mechanism, _, first = rest.partition(" ")
        if mechanism.upper() == "PLAIN":
            text = first or self.ask("")
            given = base64.b64decode(text + "==").decode().split("\0")[1:]
        else:
            name = first or self.ask("VXNlcm5hbWU6")
            given = [base64.b64decode(text).decode() for text in (name, self.ask("UGFzc3dvcmQ6"))]
        if list(given) == list(self.server.login or ()):
            self.logged_in = self.reply("235 2.7.0 Welcome", "AUTH")
        elif not self.meet("AUTH"):
            self.say("535 5.7.8 Name or password is wrong")
        return True

    def ask(self, prompt):
        self.say("334 " + prompt)
        return self.line()

    def on_mail(self, rest):
        if self.server.login and not self.logged_in:
            self.say("530 5.7.0 Log in first")
            return True
        self.recipients = []
        self.sender = rest.partition("<")[2].partition(">")[0]
        self.reply("250 2.1.0 Ok", "MAIL")
        return True

    def on_rcpt(self, rest):
        address = rest.partition("<")[2].partition(">")[0]
        if address.startswith("unknown"):
            self.say("550 5.1.1 No such user")
        elif self.reply("250 2.1.5 Ok", "RCPT"):
            self.recipients.append(address)
        return True

    def on_data(self, _):
        if not self.recipients:
            self.say("503 5.5.1 No recipient")
            return True
        if not self.reply("354 Go ahead", "DATA"):
            return True
        content = self.message()
        if self.fault and self.fault[0] == "dot" and self.fault[1] in ("4xx", "5xx"):
            self.meet("dot")
        else:
            unanswered = bool(self.fault) and self.fault[0] == "dot"
            self.server.ledger.accept(self.sender, self.recipients, content, unanswered)
            self.meet("dot")
            if self.server.answer_seconds:
                time.sleep(self.server.answer_seconds)
            self.say("250 2.0.0 Accepted as %d" % self.server.ledger.count)
            self.meet("accepted")
        self.fault = self.server.faults.choose()
        return True

    def message(self):
        """The message without its dot and its stuffing."""
        lines, size = [], 0
        while True:
            while b"\n" not in self.buffer:
                self.fill()
            line, self.buffer = self.buffer.split(b"\n", 1)
            if not line.endswith(b"\r"):
                self.say("550 5.6.11 A line feed without a carriage return")
                raise Cut
            if line == b".\r":
                return b"".join(lines)
            line = line[1:] if line.startswith(b".") else line
            lines.append(line + b"\n")
            size += len(line) + 1
            if size > MESSAGE_BYTES_MAX:
                raise Cut

    def on_rset(self, _):
        self.sender, self.recipients = None, []
        self.say("250 2.0.0 Ok")
        return True

    def on_noop(self, _):
        self.say("250 2.0.0 Ok")
        return True

    def on_quit(self, _):
        self.say("221 2.0.0 Bye")
        return False


class Server(socketserver.ThreadingTCPServer):
    """The sink; port 0 takes a free one, which `url` names."""
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, ledger, faults=None, port=0, tls=None, implicit=False, login=None,
                 stall_seconds=5.0, idle_seconds=300.0, answer_seconds=0.0):
        self.ledger, self.faults = ledger, faults or Faults()
        self.tls, self.implicit, self.login = tls, implicit, login
        self.stall_seconds, self.idle_seconds = stall_seconds, idle_seconds
        self.answer_seconds = answer_seconds
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", port), Session)

    @property
    def url(self):
        return "%s://127.0.0.1:%d" % ("smtps" if self.implicit else "smtp", self.server_address[1])

    def process_request(self, request, client_address):
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().process_request(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", help="file of JSON lines, appended to")
    parser.add_argument("--maildir", help="write the messages into this maildir, too")
    parser.add_argument("--faults", type=int, default=0, metavar="N", help="one fault in N mails")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", default=",".join(STEPS), help="where: " + ",".join(STEPS))
    parser.add_argument("--kinds", default=",".join(KINDS), help="what: " + ",".join(KINDS))
    parser.add_argument("--stall", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--answer", type=float, default=0.0, metavar="SECONDS", help="until a mail is taken")
    parser.add_argument("--certificate", help="PEM; with --key: offers STARTTLS")
    parser.add_argument("--key")
    parser.add_argument("--implicit", action="store_true", help="TLS from the first byte")
    parser.add_argument("--login", metavar="USER:PASSWORD", help="what AUTH must give")
    given = parser.parse_args()
    tls = None
    if given.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(given.certificate, given.key)
    login = given.login.split(":", 1) if given.login else None
    faults = Faults(given.faults, given.seed, given.steps.split(","), given.kinds.split(","))
    server = Server(Ledger(given.ledger, given.maildir), faults, given.port, tls, given.implicit,
                    login, given.stall, answer_seconds=given.answer)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(server.url, flush=True)
    try:
        server.serve_forever()
    finally:
        server.ended.set()
        print(json.dumps({"accepted": server.ledger.count, "faults": server.faults.met}),
              file=sys.stderr)


if __name__ == "__main__":
    main()
