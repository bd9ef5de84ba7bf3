# SPDX-License-Identifier: Apache-2.0
"""Debian's Postfix on loopback, with a configuration, a queue and mailboxes of its own.

It offers STARTTLS and AUTH PLAIN on one port and TLS from the first byte and AUTH LOGIN on another,
refuses mails without a login, and keeps those for the addresses that it knows in maildirs.
"""

import email
import email.policy
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tools.replay.cluster import free_port  # noqa: E402

MASTER = Path("/usr/lib/postfix/sbin/master")
HOST = "mail.test.example"
SECONDS = 60

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log/maillog
maillog_file_prefixes = {root}
myhostname = {host}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtputf8_enable = no
alias_maps =
alias_database =
virtual_mailbox_domains = texthash:{root}/config/domains
virtual_mailbox_maps = texthash:{root}/config/mailboxes
virtual_mailbox_base = {root}/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_cert_file = {root}/config/server.pem
smtpd_tls_key_file = {root}/config/server.key
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = {host}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject
"""

MASTER_SERVICES = """\
127.0.0.1:{starttls} inet n - n - - smtpd
  -o smtpd_sasl_path=plain
127.0.0.1:{tls} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_path=login
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {root}/sasldb
mech_list: {mechanism}
"""


def reason_to_skip():
    """Why Postfix cannot be run here, or None."""
    if not MASTER.exists() or not shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin"):
        return "Postfix or sasl2-bin is missing: run tools/setup test"
    if os.geteuid() != 0:
        return "Postfix starts as root only"
    return None


class Postfix:
    """`start` returns when it answers. `certificate` and `key` are of the host 127.0.0.1."""

    def __init__(self, root, mailboxes, user, password, certificate, key):
        self.root = Path(root)
        self.mailboxes, self._login = list(mailboxes), (user, password)
        self._certificate, self._key = certificate, key
        self.starttls_port, self.tls_port = free_port(), free_port()

    def start(self):
        self._write_files()
        config = self.root / "config"
        self._run("/usr/sbin/postfix", "-c", config, "check")
        self._master = subprocess.Popen([MASTER, "-c", config, "-s"], stdin=subprocess.DEVNULL, cwd="/",
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        end = time.monotonic() + SECONDS
        for port in (self.starttls_port, self.tls_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert self._master.poll() is None, self._master.stderr.read()
                    assert time.monotonic() < end, self.log()
                    time.sleep(0.05)
        return self

    def stop(self):
        """Ends the master; its services end with it."""
        self._master.terminate()
        self._master.wait(SECONDS)
        self._master.stderr.close()

    @property
    def user(self):
        return "%s@%s" % (self._login[0], HOST)

    def log(self):
        path = self.root / "log" / "maillog"
        return path.read_text(errors="replace") if path.exists() else ""

    def mails(self, address):
        """The contents of its maildir."""
        folder = self.root / "mailboxes" / address / "new"
        return [path.read_bytes() for path in sorted(folder.glob("*"))] if folder.exists() else []

    def parsed(self, address):
        return [email.message_from_bytes(one, policy=email.policy.default) for one in self.mails(address)]

    def _write_files(self):
        owner = pwd.getpwnam("nobody")
        self.root.chmod(0o755)  # its services give up root
        for name in ("config", "queue", "data", "log", "mailboxes"):
            (self.root / name).mkdir(mode=0o755)
        shutil.chown(self.root / "data", "postfix")
        shutil.chown(self.root / "mailboxes", owner.pw_uid, owner.pw_gid)
        config = self.root / "config"
        values = {"root": self.root, "host": HOST, "uid": owner.pw_uid, "gid": owner.pw_gid,
                  "starttls": self.starttls_port, "tls": self.tls_port}
        (config / "main.cf").write_text(MAIN.format(**values))
        (config / "master.cf").write_text(MASTER_SERVICES.format(**values))
        domains = sorted({address.rpartition("@")[2] for address in self.mailboxes})
        (config / "domains").write_text("".join("%s ours\n" % domain for domain in domains))
        (config / "mailboxes").write_text("".join("%s %s/\n" % (one, one) for one in self.mailboxes))
        (config / "sasl").mkdir(mode=0o755)  # where Debian's Postfix looks
        for mechanism in ("plain", "login"):
            text = SASL.format(root=self.root, mechanism=mechanism.upper())
            (config / "sasl" / (mechanism + ".conf")).write_text(text)
        shutil.copy(self._certificate, config / "server.pem")
        shutil.copy(self._key, config / "server.key")
        (config / "server.key").chmod(0o600)
        user, password = self._login
        self._run("/usr/sbin/saslpasswd2", "-p", "-c", "-f", self.root / "sasldb", "-u", HOST, user,
                  stdin=password.encode())
        shutil.chown(self.root / "sasldb", "postfix")

    @staticmethod
    def _run(*command, stdin=b""):
        done = subprocess.run(list(map(str, command)), input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
