# SPDX-License-Identifier: Apache-2.0
"""Reads rendered mails with Python's own parser and compares headers and both parts with what the
facts in render_samples.cc must give. Usage: check_mails.py RENDER_SAMPLES"""
import datetime
import email
import email.policy
import html.parser
import pathlib
import subprocess
import sys
import tempfile

LONG_TITLE = "Data Structures" + "".join(
    " intermédiaire" if i % 3 == 0 else " of course" for i in range(60))
SWEEP_TAILS = [".hidden", "From here", "=41", "é.", "日本From ", ". . .", " . From x"]


class Text(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def check(condition, what):
    if not condition:
        sys.exit(f"check failed: {what}")


def equal(actual, expected, what):
    check(actual == expected, f"{what}: got {actual!r}, expected {expected!r}")


def check_bytes(name, raw):
    check(b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b""),
          f"{name}: bare CR or LF")
    check(all(byte < 128 for byte in raw), f"{name}: not 7 bit")
    for line in raw.split(b"\r\n"):
        limit = 998 if line.startswith((b"Message-ID: ", b"X-Edged-Notification: ")) else 78
        check(len(line) <= limit, f"{name}: a long line: {line!r}")
        check(not line.startswith((b".", b"From ")), f"{name}: SMTP or mbox changes: {line!r}")
        if b"=?UTF-8?" in line:
            check(len(line) <= 76, f"{name}: a long line with an encoded-word: {line!r}")


def parse(name, raw):
    check_bytes(name, raw)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    for part in mail.walk():
        equal(part.defects, [], f"{name}: defects of {part.get_content_type()}")
    for header, value in mail.items():
        equal(getattr(value, "defects", ()), (), f"{name}: defects of {header}")
    equal(sorted(mail.keys()),
          sorted(["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
                  "Auto-Submitted",
                  "X-Edged-Type", "X-Edged-Section", "X-Edged-Term", "X-Edged-Notification"]),
          f"{name}: headers")
    equal(mail.get_content_type(), "multipart/alternative", f"{name}: type")
    equal([part.get_content_type() for part in mail.iter_parts()], ["text/plain", "text/html"],
          f"{name}: parts")
    equal([a.addr_spec for a in mail["To"].addresses], ["student@example.edu"], f"{name}: To")
    equal([a.addr_spec for a in mail["From"].addresses], ["notify@example.org"], f"{name}: From")
    equal(mail["Message-ID"], f"<{mail['X-Edged-Notification']}@example.org>", f"{name}: id")
    equal(mail["Date"].datetime,
          datetime.datetime(2025, 11, 25, 14, 33, 36, tzinfo=datetime.timezone.utc), f"{name}: Date")
    plain = mail.get_body(("plain",)).get_content()
    markup = Text()
    markup.feed(mail.get_body(("html",)).get_content())
    check("null" not in plain and "null" not in markup.text, f"{name}: says null")
    check("Tue 25 Nov 2025, 07:33 MST" in plain and "Tue 25 Nov 2025, 07:33 MST" in markup.text,
          f"{name}: checked at")
    check("script" not in markup.tags and "b" not in markup.tags, f"{name}: HTML not escaped")
    return mail, plain, markup.text


def check_sweep(mails):
    """The titles of sweep() in render_samples.cc: every byte is given back, wherever a line is broken."""
    equal(len(mails), len(SWEEP_TAILS) * 160, "sweep: samples")
    for name, (mail, plain, markup) in mails.items():
        _, tail, length = name.split("-")
        title = " ".join(("T" + "x" * int(length) + SWEEP_TAILS[int(tail)]).split())
        equal(mail["Subject"], f"Seat open: CSE 310 (12431): {title}", f"{name}: Subject")
        for label in ["Title:       ", "Place:       "]:
            check(label + title in plain.split("\r\n"), f"{name}: {label!r} in the text")
        check(title in markup, f"{name}: title in the HTML")


def main():
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.argv[1], directory], check=True)
        mails = {path.stem: parse(path.stem, path.read_bytes())
                 for path in pathlib.Path(directory).glob("*.eml")}
    check_sweep({name: mails.pop(name) for name in list(mails) if name.startswith("sweep-")})
    equal(sorted(mails), ["hostile", "long", "plain", "sparse", "unicode"], "samples")

    mail, plain, markup = mails["plain"]
    equal(mail["Subject"], "Seat open: CSE 310 (12431): Data Structures", "plain: Subject")
    equal(mail["From"].addresses[0].display_name, "PickMyClass", "plain: display name")
    equal(mail["X-Edged-Type"], "seat_available", "plain: type")
    equal(mail["X-Edged-Section"], "12431", "plain: section")
    equal(mail["X-Edged-Term"], "2261", "plain: term")
    for fact in ["CSE 310", "Data Structures", "12431", "2261", "3 open of 120", "Jane Doe",
                 "MW 9:00-10:15", "BYAC 110"]:
        check(fact in plain and fact in markup, f"plain: {fact!r} is missing")
    check("https://pickmyclass.example" in plain, "plain: no link")

    mail, plain, markup = mails["unicode"]
    title = "Économie & société: 経済学入門 — <b>bold</b>"
    equal(mail["Subject"], f"Seat open: CSE 310 (12431): {title}", "unicode: Subject")
    equal(mail["From"].addresses[0].display_name, 'Mein "Kurs" für alle', "unicode: display name")
    for fact in [title, "Zoë Ñandú-Łukasz", "Bâtiment 3, salle « B »",
                 "1 open of 120 (not reserved; 3 with reserved seats)"]:
        check(fact in plain and fact in markup, f"unicode: {fact!r} is missing")

    mail, plain, markup = mails["hostile"]
    equal(mail["X-Edged-Section"], "1 X-Evil: yes", "hostile: section")
    equal(mail["X-Edged-Term"], "2 2 X-Evil: yes", "hostile: term")
    check("X Bcc: victim@example.com <script>alert(1)</script>" in mail["Subject"],
          "hostile: Subject")
    for fact in ["=?UTF-8?B?ZXZpbA==?=", "--=_edged_0 . From me"]:
        check(fact in plain and fact in markup, f"hostile: {fact!r} is missing")

    mail, plain, _ = mails["long"]
    check(len(mail["Subject"]) > 400 and mail["Subject"].endswith("…"), "long: Subject is not bounded")
    check(("Seat open: CSE 310 (12431): " + LONG_TITLE).startswith(mail["Subject"][:-1]),
          "long: Subject")
    check("x" * 400 in plain, "long: place")

    mail, plain, _ = mails["sparse"]
    equal(mail["Subject"], "Instructor assigned: Section 12431", "sparse: Subject")
    check("Jane Doe" in plain, "sparse: instructor")
    for label in ["Course:", "Title:", "Seats:", "Time:", "Place:"]:
        check(label not in plain, f"sparse: {label} is unknown")


if __name__ == "__main__":
    main()
