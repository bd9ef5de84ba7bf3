#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Peers that misbehave towards a node, one kind a process; for tools/bench/peers, `tools/soak peers` and
tests/end_to_end/hostile_test.py.

usage: tools/bench/misbehaving.py KIND HOST:PORT|unix:PATH     says "ready", goes on until it is ended
Kinds that need data use the namespace "bench", or else "default". Nothing here waits for a single peer:
every kind is a crowd of sockets in one loop, and a socket that the node cuts is opened again.
"""

import os
import resource
import selectors
import socket
import struct
import sys
import time

HELLO = struct.pack("<4sBBHII", b"KVB1", 1, 1, 0, 0, 1024 * 1024 + 4096)
HELLO_BYTES, HEADER_BYTES = 16, 24
GET, PUT, MGET, LIST, OPEN = 0x01, 0x02, 0x0B, 0x0E, 0x20
MORE = 0x0002
LARGE_KEY, LARGE_KEYS, LARGE_BYTES = b"misbehaving:%d", 20, 1_000_000
READ_BYTES = 1 << 18


def frame(opcode, number=0, key=b"", value=b"", tlvs=b"", flags=0, ns=0, announced=None):
    """A request; `announced` is a body length that is not the true one."""
    body = tlvs + key + value
    return struct.pack("<BBHIIIHHI", 0xB7, opcode, flags, number, len(body) if announced is None else announced,
                       ns, len(key), len(tlvs), 0) + body


def tlv(number, form, value):
    data = struct.pack(form, value)
    return struct.pack("<BBH", number, 0, len(data)) + data + bytes(-len(data) % 4)


def connect(address, hello=True):
    """Connected and, with `hello`, greeted; None if the node would not have it."""
    try:
        if address.startswith("unix:"):
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(5)
            peer.connect(address[5:])
        else:
            peer = socket.create_connection(address.rsplit(":", 1), timeout=5)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hello:
            peer.sendall(HELLO)
            receive(peer, HELLO_BYTES)
        return peer
    except OSError:
        return None


def receive(peer, count):
    data = b""
    while len(data) < count:
        got = peer.recv(count - len(data))
        if not got:
            raise ConnectionError("the node closed the connection")
        data += got
    return data


def answer(peer):
    """(id, status, body) of the next response."""
    header = struct.unpack("<BBHIIIHHI", receive(peer, HEADER_BYTES))
    return header[3], header[6], receive(peer, header[4])


def open_namespace(peer):
    for name in (b"bench", b"default"):
        peer.sendall(frame(OPEN, 1, name))
        _, status, body = answer(peer)
        if status == 0:
            return struct.unpack_from("<I", body, 4)[0]
    sys.exit("error: the node has neither the namespace \"bench\" nor \"default\"")


def handle_of(address):
    with connect(address) as peer:
        return open_namespace(peer)


def ready():
    print("ready", flush=True)


class Crowd:
    """So many sockets, each opened again when it ends. `on_open` sends the first bytes."""

    def __init__(self, address, count, on_open, hello=True):
        self.address, self.count, self.on_open, self.hello = address, count, on_open, hello
        self.poll, self.peers, self.pause_until = selectors.DefaultSelector(), set(), 0.0

    def fill(self):
        if time.monotonic() < self.pause_until:
            return
        while len(self.peers) < self.count:
            peer = connect(self.address, self.hello)
            if peer is None:  # the node will have no more at present
                self.pause_until = time.monotonic() + 0.2
                return
            peer.setblocking(False)
            self.peers.add(peer)
            self.poll.register(peer, selectors.EVENT_READ)
            self.attempt(peer, self.on_open)

    def attempt(self, peer, action):
        try:
            action(peer)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(peer)

    def drop(self, peer):
        if peer in self.peers:
            self.peers.remove(peer)
            self.poll.unregister(peer)
            peer.close()

    def discard(self, seconds):
        """Reads and drops what comes within that time."""
        for key, _ in self.poll.select(seconds):
            try:
                if not key.fileobj.recv(READ_BYTES):
                    self.drop(key.fileobj)
            except BlockingIOError:
                pass
            except OSError:
                self.drop(key.fileobj)

    def run(self, every_second=None):
        self.fill()
        ready()
        due = time.monotonic() + 1
        while True:
            self.discard(max(0.0, min(0.2, due - time.monotonic())))
            if every_second and time.monotonic() >= due:
                for peer in list(self.peers):
                    self.attempt(peer, every_second)
            if time.monotonic() >= due:
                due += 1
            self.fill()


def garbage(address):
    """Bytes that mean nothing, in half of the connections behind a proper hello; reconnects at once."""
    ready()
    number = 0
    while True:
        number += 1
        peer = connect(address, hello=number % 2 == 0)
        if peer is None:
            continue
        try:
            peer.sendall(os.urandom(4096))
            while peer.recv(READ_BYTES):
                pass
        except OSError:
            pass
        peer.close()


def half_frames(address):
    """2,000 connections, each with half of a frame that does not go on."""
    begun = frame(PUT, 1, b"key", bytes(200), ns=1)[:100]
    Crowd(address, 2000, lambda peer: peer.send(begun)).run()


def idle(address):
    """10,000 connections that say nothing. Those of the load come on top: some are closed at once."""
    Crowd(address, 9_900, lambda peer: None).run()


def slowloris(address):
    """300 connections that send a byte a second of a hello, 300 that do so of a frame."""
    slow = {}

    def begin(peer):
        slow[peer] = 0
        if peer.fileno() % 2:
            peer.send(HELLO)

    def byte(peer):
        whole = HELLO if not peer.fileno() % 2 else frame(PUT, 1, b"key", bytes(1 << 19), ns=1)[:1000]
        peer.send(whole[slow[peer] % len(whole):][:1])
        slow[peer] += 1

    Crowd(address, 600, begin, hello=False).run(byte)


def huge(address):
    """100 connections that announce a body of 4 GiB, or one of 32 MiB that is read over, and begin 8 uploads
    of 25 MiB of which 256 KiB come; all of it again and again."""
    ns = handle_of(address)
    part, size = bytes(256 * 1024), tlv(0x13, "<Q", 25 << 20)
    begun = b"".join(frame(PUT, n, b"huge:%d" % n, part, size, MORE, ns) for n in range(8))
    first = {0: frame(PUT, 1, b"k", b"", announced=0xFFFFFFFF, ns=ns) * 8,
             1: frame(PUT, 1, b"k", b"", announced=32 << 20, ns=ns) + part}
    rounds = {}

    def begin(peer):
        rounds[peer] = 0
        peer.send(first.get(peer.fileno() % 3, begun))

    def again(peer):
        rounds[peer] += 1
        if rounds[peer] > 5:
            raise ConnectionError("enough of this one")

    Crowd(address, 100, begin).run(again)


def unread(address):
    """100 connections that ask for values of 1 MB, of 20 keys in turn, a thousand times and never read."""
    with connect(address) as peer:
        ns = open_namespace(peer)
        for n in range(LARGE_KEYS):
            peer.sendall(frame(PUT, 2, LARGE_KEY % n, os.urandom(LARGE_BYTES), ns=ns))
            answer(peer)
    asked = b"".join(frame(GET, n, LARGE_KEY % (n % LARGE_KEYS), ns=ns) for n in range(1000))
    crowd = Crowd(address, 100, lambda peer: peer.send(asked))
    crowd.fill()
    ready()
    while True:
        time.sleep(1)
        for peer in list(crowd.peers):
            crowd.attempt(peer, lambda one: one.send(asked[:4100]))  # learns that it was cut
        crowd.fill()


def storm(address):
    """Connects and closes as fast as it goes, every other time with a hello that is not waited for."""
    ready()
    number = 0
    while True:
        number += 1
        peer = connect(address, hello=False)
        if peer is None:
            continue
        try:
            if number % 2:
                peer.send(HELLO)
        except OSError:
            pass
        peer.close()


def flood(address, connections, requests):
    """Sends the requests again and again on every connection, and reads the answers."""
    crowd = Crowd(address, connections, lambda peer: None)
    crowd.fill()
    for peer in crowd.peers:
        crowd.poll.modify(peer, selectors.EVENT_READ | selectors.EVENT_WRITE)
    ready()
    view, at = memoryview(requests), {}
    while True:
        for key, events in crowd.poll.select(1):
            peer = key.fileobj
            try:
                if events & selectors.EVENT_READ and not peer.recv(READ_BYTES):
                    raise ConnectionError("closed")
                if events & selectors.EVENT_WRITE:
                    at[peer] = (at.get(peer, 0) + peer.send(view[at.get(peer, 0):])) % len(view)
            except BlockingIOError:
                pass
            except OSError:
                crowd.drop(peer)
                sys.exit("error: the node ended a connection of the flood")


def flood_gets(address):
    """16 connections that pipeline GETs of absent keys without bound."""
    ns = handle_of(address)
    flood(address, 16, b"".join(frame(GET, n, b"absent:%d" % n, ns=ns) for n in range(1000)))


def flood_puts(address):
    """16 connections that pipeline PUTs of 100 bytes to 1,000 keys without bound."""
    ns, value = handle_of(address), os.urandom(100)
    flood(address, 16, b"".join(frame(PUT, n, b"flood:%d" % n, value, ns=ns) for n in range(1000)))


def flood_lists(address):
    """16 connections that pipeline LIST of 1,000 keys without bound."""
    ns = handle_of(address)
    flood(address, 16, b"".join(frame(LIST, n, b"", b"", tlv(0x06, "<I", 1000), ns=ns) for n in range(100)))


def flood_mgets(address):
    """16 connections that pipeline MGET of 1,000 keys without bound."""
    ns = handle_of(address)
    items = b"".join(struct.pack("<BBHHHI", GET, 0, 0, 20, 0, 0) + b"section:%012d" % n for n in range(1000))
    flood(address, 16, b"".join(frame(MGET, n, b"", items, ns=ns) for n in range(10)))


KINDS = {one.__name__: one for one in (garbage, half_frames, idle, slowloris, huge, unread, storm, flood_gets,
                                       flood_puts, flood_lists, flood_mgets)}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        sys.exit(__doc__ + "Kinds: " + ", ".join(KINDS))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    KINDS[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    main()
