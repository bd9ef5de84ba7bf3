# SPDX-License-Identifier: Apache-2.0
"""`edged mail test` through each transport that leaves the machine: what the other side receives, what
its errors become (docs/mail.md), and that no secret is shown to anyone who must not have it."""

import base64
import http.server
import json
import ssl
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from programs_case import ProgramsCase

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tools.replay import smtp_sink  # noqa: E402

TOKEN = "re_7hVtokenOfTheTest"
USER, PASSWORD = "edged", "pa55 w0rd/of+the=test"
# Each form in which a login would show the password.
SECRETS = [PASSWORD, *(base64.b64encode(text.encode()).decode()
                       for text in (PASSWORD, "\0%s\0%s" % (USER, PASSWORD)))]
TO = "student@example.org"
FROM = "Pick My Class <notify@example.org>"
NO_PROXY = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
CLOSE = object()  # instead of an answer


def problem(name, message):
    return json.dumps({"name": name, "message": message}).encode()


class Provider(http.server.ThreadingHTTPServer):
    """Answers each request with `answer`: (status, headers, body), or CLOSE. Keeps the requests."""
    daemon_threads = True

    def __init__(self, answer, tls=None):
        self.answer, self.requests, self.connections = answer, [], 0
        super().__init__(("127.0.0.1", 0), ProviderSession)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.server_address[1])

    def handle_error(self, *_):
        pass  # a client that ends the handshake


class ProviderSession(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers, body))
        if self.server.answer is CLOSE:
            self.close_connection = True
            return
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Listening(smtp_sink.Session):
    """The sink's session, which keeps each byte that it could read."""

    def fill(self):
        kept = len(self.buffer)
        super().fill()
        self.server.heard += self.buffer[kept:]

    def finish(self):
        self.request.close()  # the sink has wrapped it


class Repeating(Listening):
    """Takes each login for a command that it does not know, and repeats it."""

    def on_auth(self, rest):
        secret = rest.partition(" ")[2] or self.ask("")
        self.say("500-5.5.1 %s, that is" % secret)
        self.say("500 5.5.1 %s%s" % (base64.b64decode(secret).decode().replace("\0", " "), secret))
        return True


class TransportCase(ProgramsCase):
    def mail_test(self, *flags, **mail):
        path = self.directory / "edged.jsonc"
        path.write_text(json.dumps({"mail": {"from": FROM, **mail}}))
        path.chmod(0o600)
        return self.edged("mail", "test", TO, *flags, "-c", path, env=NO_PROXY)

    def expect(self, code, outcome, *texts, **mail):
        """The JSON object that the command prints, after a look at its outcome."""
        result = self.mail_test("--json", **mail)
        self.assertEqual(result.returncode, code, result)
        printed = json.loads(result.stdout)
        self.assertEqual(printed["outcome"], outcome, printed)
        for text in texts:
            self.assertIn(text, printed["detail"])
        self.assertHides(result, printed["conversation"], printed["detail"])
        return printed

    def assertHides(self, result, *more):
        shown = "\n".join([result.stdout.decode(), result.stderr.decode(), *more])
        for secret in [TOKEN, *SECRETS]:
            self.assertNotIn(secret, shown)

    def serve(self, server):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        for step in (thread.join, server.server_close, server.shutdown):
            self.addCleanup(step)
        return server

    def make_tls(self, name, names):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-nodes",
                        "-subj", "/CN=" + name, "-addext", "subjectAltName=" + names],
                       cwd=self.directory, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / (name + ".pem"), self.directory / (name + ".key"))
        return context


class ResendTest(TransportCase):
    def provider(self, answer, tls=None):
        return self.serve(Provider(answer, tls))

    def resend(self, code, outcome, *texts, answer, **mail):
        provider = self.provider(answer)
        printed = self.expect(code, outcome, *texts, transport="resend", url=provider.url, token=TOKEN, **mail)
        self.assertEqual(len(provider.requests), 1)
        return printed

    def test_request(self):
        provider = self.provider((200, {}, b'{"id": "49a3999c-0ce1"}'))
        bodies = {}
        for _ in range(2):
            printed = self.expect(0, "accepted", transport="resend", url=provider.url, token=TOKEN, rate=1000)
            self.assertEqual(printed["provider_id"], "49a3999c-0ce1")
            path, headers, body = provider.requests[-1]
            self.assertEqual(path, "/emails")
            self.assertEqual(headers["Authorization"], "Bearer " + TOKEN)
            self.assertEqual(headers["Content-Type"], "application/json")
            mail = json.loads(body)
            self.assertEqual((mail["from"], mail["to"]), (FROM, [TO]))
            self.assertEqual(mail["subject"], "Test mail of edged")
            self.assertIn("edged mail test", mail["text"])
            self.assertTrue(mail.get("html", "a part"))  # left away, or something
            self.assertEqual(mail["headers"]["Message-ID"], "<%s>" % printed["message_id"])
            self.assertTrue(0 < len(headers["Idempotency-Key"]) <= 256)
            bodies.setdefault(headers["Idempotency-Key"], set()).add(body)
        self.assertEqual([len(each) for each in bodies.values()], [1, 1])  # two mails have two keys

    def test_errors(self):
        bad_to = problem("validation_error", "Invalid `to` field.")
        bad_from = problem("validation_error", "Invalid `from` field.")
        for code, outcome, status, body in (
                (2, "misconfigured", 401, problem("missing_api_key", "API key is invalid")),
                (2, "misconfigured", 403, problem("validation_error", "The domain is not verified")),
                (1, "address", 422, bad_to), (2, "misconfigured", 422, bad_from),
                (1, "message", 422, problem("missing_required_field", "Missing `subject`")),
                (1, "message", 409, problem("invalid_idempotent_request", "Another body")),
                (4, "unknown", 409, problem("concurrent_idempotent_requests", "Under way")),
                (4, "temporary", 429, problem("rate_limit_exceeded", "Too many requests")),
                (4, "unknown", 500, problem("application_error", "An unexpected error"))):
            with self.subTest(status=status, body=body):
                message = json.loads(body)["message"]
                headers = {"Retry-After": 3} if status == 429 else {}
                self.resend(code, outcome, "%d %s" % (status, message), answer=(status, headers, body))

    def test_rubbish(self):
        self.resend(4, "unknown", answer=CLOSE)
        for body in (b"<html>no", b"\xff\x1b[2J\0", b"[1, 2", b"null", b'{"id": 7, "data": {}}', b""):
            with self.subTest(body=body):
                self.assertIsNone(self.resend(0, "accepted", "200", answer=(200, {}, body))["provider_id"])
                printed = self.resend(1, "message", "422", answer=(422, {}, body))
                self.assertNotRegex(printed["detail"] + printed["conversation"].replace("\n", ""), r"[\x00-\x1f]")

    def test_advice(self):
        provider = self.provider((500, {}, problem("application_error", "An unexpected error")))
        result = self.mail_test(transport="resend", url=provider.url, token=TOKEN)
        self.assertEqual(result.returncode, 4)
        self.assertIn(b"the message may have been accepted", result.stdout)
        self.assertIn(b"answer: 500 An unexpected error\n", result.stdout)

    def test_token_stays(self):
        """Neither an answer that repeats it nor a redirection brings it elsewhere."""
        repeated = problem("invalid_api_key", "No such key: Bearer " + TOKEN)
        self.resend(2, "misconfigured", "401", answer=(401, {}, repeated))
        self.resend(2, "misconfigured", "401", answer=(401, {}, b"x" * 495 + TOKEN.encode()))
        other = self.provider((200, {}, b'{"id": "stolen"}'))
        self.resend(2, "misconfigured", "307", answer=(307, {"Location": other.url + "/emails"}, b""))
        self.assertEqual(other.requests, [])

    def test_tls(self):
        provider = self.provider((200, {}, b'{"id": "1"}'), self.make_tls("own", "IP:127.0.0.1"))
        self.make_tls("other", "IP:127.0.0.1")
        mail = {"transport": "resend", "url": provider.url, "token": TOKEN}
        self.expect(2, "misconfigured", "certificate", **mail)
        self.expect(2, "misconfigured", "certificate", tls_ca=str(self.directory / "other.pem"), **mail)
        self.assertEqual(provider.requests, [])
        self.expect(0, "accepted", tls_ca=str(self.directory / "own.pem"), **mail)


class SmtpTest(TransportCase):
    def sink(self, fault=None, **more):
        self.ledger = self.directory / "ledger"
        self.ledger.write_text("")
        faults = smtp_sink.Faults(1, steps=fault[:1], kinds=fault[1:]) if fault else None
        ledger = smtp_sink.Ledger(self.ledger)
        self.addCleanup(ledger._file.close)
        sink = smtp_sink.Server(ledger, faults, login=(USER, PASSWORD), **more)
        sink.RequestHandlerClass, sink.heard = Listening, b""
        self.mail = {"transport": "smtp", "url": sink.url, "user": USER, "password": PASSWORD}
        self.addCleanup(sink.ended.set)
        return self.serve(sink)

    def accepted(self):
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def assertAccepted(self, sink, **mail):
        printed = self.expect(0, "accepted", "250 2.0.0 Accepted", **self.mail, **mail)
        entry, = self.accepted()
        self.assertEqual(entry["message_id"], "<%s>" % printed["message_id"])
        self.assertEqual((entry["from"], entry["to"]), ("notify@example.org", [TO]))
        self.assertHeard(sink, True)

    def assertHeard(self, sink, password):
        self.assertEqual(any(secret.encode() in sink.heard for secret in SECRETS), password, sink.heard)

    def assertKeepsAway(self, sink, code, outcome, *texts, **mail):
        """Refused by edged: the server has got neither a mail nor the password."""
        self.expect(code, outcome, *texts, **{**self.mail, **mail})
        self.assertEqual(self.accepted(), [])
        self.assertNotIn(b"MAIL", sink.heard)
        self.assertHeard(sink, False)

    def test_starttls_and_tls(self):
        for implicit in (False, True):
            with self.subTest(implicit=implicit):
                sink = self.sink(tls=self.make_tls("own", "IP:127.0.0.1"), implicit=implicit)
                trusted = {"tls": "required", "tls_ca": str(self.directory / "own.pem")}
                self.assertKeepsAway(sink, 2, "misconfigured", "certificate", tls="required")
                self.make_tls("other", "IP:127.0.0.1")
                self.assertKeepsAway(sink, 2, "misconfigured", "certificate", tls="required",
                                     tls_ca=str(self.directory / "other.pem"))
                self.assertAccepted(sink, **trusted)

    def test_certificate_for_another_name(self):
        for implicit in (False, True):
            with self.subTest(implicit=implicit):
                sink = self.sink(tls=self.make_tls("own", "DNS:mail.example.org,IP:127.0.0.2"), implicit=implicit)
                self.assertKeepsAway(sink, 2, "misconfigured", "127.0.0.1", tls="required",
                                     tls_ca=str(self.directory / "own.pem"))

    def test_no_starttls(self):
        sink = self.sink()
        self.assertKeepsAway(sink, 2, "misconfigured", "offers no STARTTLS", tls="required")
        self.assertAccepted(sink)  # on loopback it need not

    def test_wrong_password(self):
        self.sink(tls=self.make_tls("own", "IP:127.0.0.1"))
        wrong = self.mail["password"] = "wrong " + PASSWORD
        printed = self.expect(2, "misconfigured", "535 5.7.8", "AUTH", tls="required",
                              tls_ca=str(self.directory / "own.pem"), **self.mail)
        self.assertIn("> AUTH PLAIN\n", printed["conversation"])
        self.assertIn("[hidden]", printed["conversation"])
        for text in (wrong, "\0%s\0%s" % (USER, wrong)):
            self.assertNotIn(base64.b64encode(text.encode()).decode(), json.dumps(printed))
        self.assertNotIn(wrong, json.dumps(printed))
        self.assertEqual(self.accepted(), [])

    def test_server_without_login(self):
        sink = self.sink()
        sink.login = None
        self.expect(2, "misconfigured", "offers no login", **self.mail)
        self.assertEqual(self.accepted(), [])

    def test_login_repeated(self):
        self.sink().RequestHandlerClass = Repeating
        printed = self.expect(2, "misconfigured", "500 5.5.1 [hidden]", "AUTH", **self.mail)
        self.assertIn("< 500-5.5.1 [hidden], that is\n", printed["conversation"])

    def test_faults(self):
        for step, kind, code, outcome, text, accepted in (
                ("connect", "cut", 4, "temporary", "connecting", 0),
                ("greeting", "5xx", 2, "misconfigured", "554 5.6.0 A lasting fault (answer to the greeting)", 0),
                ("RCPT", "4xx", 4, "temporary", "451 4.3.0 A fault of this moment (answer to RCPT TO)", 0),
                ("RCPT", "5xx", 1, "message", "554 5.6.0 A lasting fault (answer to RCPT TO)", 0),
                ("RCPT", "cut", 4, "temporary", "RCPT TO", 0),
                ("DATA", "4xx", 4, "temporary", "answer to DATA", 0),
                ("dot", "4xx", 4, "temporary", "451 4.3.0 A fault of this moment (answer to the message)", 0),
                ("dot", "5xx", 1, "message", "answer to the message", 0),
                ("dot", "cut", 4, "unknown", "the connection failed at the message", 1),
                ("accepted", "cut", 0, "accepted", "250 2.0.0 Accepted", 1)):
            with self.subTest(step=step, kind=kind):
                sink = self.sink((step, kind))
                printed = self.expect(code, outcome, text, **self.mail)
                self.assertEqual(len(self.accepted()), accepted)
                # Noted after the answer.
                self.wait_until(lambda: sink.faults.met, "the fault")
                self.assertEqual(sink.faults.met, {step + " " + kind: 1})
                self.assertIn("> [the message]" if accepted else "* ", printed["conversation"])

    def test_advice(self):
        self.sink(("dot", "cut"))
        result = self.mail_test(**self.mail)
        self.assertEqual(result.returncode, 4)
        self.assertIn(b"the message may have been accepted", result.stdout)
        self.assertHides(result)


if __name__ == "__main__":
    unittest.main()
