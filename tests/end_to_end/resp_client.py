# SPDX-License-Identifier: Apache-2.0
"""A small client of the Redis protocol for tests: what it reads is kept apart by type."""

import socket
import ssl


class Error(str):
    """An error reply."""


class Simple(str):
    """A simple string."""


class Client:
    def __init__(self, address, context=None):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address[5:])
        else:
            host, port = address.removeprefix("tls:").rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)))
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.settimeout(60)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    @staticmethod
    def encode(words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    def ask(self, *words):
        self.socket.sendall(self.encode(words))
        return self.reply()

    def pipeline(self, commands):
        self.socket.sendall(b"".join(self.encode(words) for words in commands))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection ended")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return Simple(rest.decode())
        if kind == b"-":
            return Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"_":
            return None
        size = int(rest)
        if kind in b"$=":
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"%":
            return {self.reply(): self.reply() for _ in range(size)}
        return None if size < 0 else [self.reply() for _ in range(size)]


def context_of(certificate):
    context = ssl.create_default_context(cafile=str(certificate))
    return context
