#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of KVB/1 written from docs/protocol.md alone, to show that the page suffices.

usage: tests/reference_client.py unix:PATH|HOST:PORT|tls:HOST:PORT [CA_FILE]    runs every operation against that node, which
must have a namespace titled "default", and prints one line each. It makes and deletes a namespace of
its own. EDGED_TOKEN, if set, is used to authenticate.
"""

import json
import os
import socket
import ssl
import struct
import sys

OPCODES = {name: number for number, name in (
    (0x01, "get"), (0x02, "put"), (0x03, "put_if_absent"), (0x04, "put_if_present"), (0x05, "put_if_version"),
    (0x06, "delete"), (0x07, "delete_if_version"), (0x08, "touch"), (0x09, "get_and_touch"), (0x0A, "add"),
    (0x0B, "mget"), (0x0C, "mput"), (0x0D, "mdel"), (0x0E, "list"), (0x0F, "lease_put"), (0x10, "invalidate"),
    (0x11, "batch"), (0x12, "check_present"), (0x13, "check_absent"), (0x14, "check_version"), (0x20, "open"),
    (0x21, "auth"), (0x22, "ping"), (0x23, "stats"), (0x24, "watch"), (0x25, "cancel"), (0x26, "go_away"),
    (0x30, "namespace_create"), (0x31, "namespace_list"), (0x32, "namespace_rename"), (0x33, "namespace_delete"),
    (0x34, "namespace_clear"), (0x35, "namespace_usage"), (0x36, "clock_confirm"), (0x38, "token_create"),
    (0x39, "token_list"), (0x3A, "token_revoke"))}
FLAGS = {"crc": 1, "more": 2, "quiet": 4, "fence": 8, "metadata": 0x10, "info": 0x20, "sync": 0x80,
         "lease": 0x200, "values": 0x400}
# name: (type, struct format; None for bytes)
TLVS = {"expires_at": (0x01, "<Q"), "ttl": (0x02, "<Q"), "version": (0x03, "<Q"), "if_version": (0x04, "<Q"),
        "metadata": (0x05, None), "limit": (0x06, "<I"), "cursor": (0x07, None), "lease": (0x09, "<Q"),
        "retry_after": (0x0A, "<I"), "message": (0x0B, None), "namespace": (0x0D, "<I"),
        "source_position": (0x0E, None), "fresh_as_of": (0x0F, "<Q"), "max_staleness": (0x10, "<Q"),
        "min_position": (0x11, None), "value_bytes": (0x13, "<Q"), "namespace_id": (0x14, None), "title": (0x15, None),
        "created_at": (0x16, "<Q"), "server_time": (0x17, "<Q"), "credential": (0x19, None),
        "scope": (0x1A, None), "delta": (0x1B, "<q"), "initial": (0x1C, "<q")}
NAMES = {number: (name, form) for name, (number, form) in TLVS.items()}
STATUS = {0: "ok", 1: "not_found", 2: "exists", 3: "version_mismatch", 4: "stale", 5: "lease_won",
          6: "lease_wait", 0x100: "invalid_argument", 0x101: "too_large", 0x102: "unsupported",
          0x103: "conflict", 0x104: "bad_frame", 0x105: "namespace_not_found", 0x200: "busy",
          0x300: "unauthenticated", 0x301: "denied"}
FRAGMENT = 256 * 1024


def crc32c(data, table=[]):
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def encode_tlvs(fields):
    out = b""
    for name, value in fields.items():
        number, form = TLVS[name]
        data = struct.pack(form, value) if form else bytes(value)
        out += struct.pack("<BBH", number, 0, len(data)) + data + bytes(-len(data) % 4)
    return out


def decode_tlvs(data):
    fields, at = {}, 0
    while at < len(data):
        number, flags, length = struct.unpack_from("<BBH", data, at)
        value = data[at + 4:at + 4 + length]
        if number in NAMES:
            name, form = NAMES[number]
            fields[name] = struct.unpack(form, value)[0] if form else value
        elif flags & 1:
            raise ValueError("critical TLV %#x" % number)
        at += 4 + length + -length % 4
    return fields


def item(opcode, key, value=b"", **fields):
    tlvs = encode_tlvs(fields)
    return struct.pack("<BBHHHI", OPCODES[opcode], 0, 0, len(key), len(tlvs), len(value)) + tlvs + key + value


def items(data):
    """(status, key, value, fields) of each."""
    found, at = [], 0
    while at < len(data):
        _, _, status, key_length, tlv_length, value_length = struct.unpack_from("<BBHHHI", data, at)
        at += 12
        fields = decode_tlvs(data[at:at + tlv_length])
        at += tlv_length
        found.append((STATUS[status], data[at:at + key_length],
                      data[at + key_length:at + key_length + value_length], fields))
        at += key_length + value_length
    return found


class Client:
    def __init__(self, address, trusted=None):
        """`address` as kvctl takes it; `trusted`: the file of authorities for a tls: address."""
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address[5:])
        else:
            host, port = address.removeprefix("tls:").rsplit(":", 1)
            self.socket = socket.create_connection((host, port))
            if address.startswith("tls:"):
                self.socket = ssl.create_default_context(cafile=trusted).wrap_socket(
                    self.socket, server_hostname=host, suppress_ragged_eofs=False)
        self.last_id = 0
        self.pushes = []
        self.socket.sendall(struct.pack("<4sBBHII", b"KVB1", 1, 1, 0, 0, 1024 * 1024 + 4096))
        magic, version, _, _, _, self.body_limit = struct.unpack("<4sBBHII", self.receive(16))
        assert magic == b"KVB1" and version == 1, "no common version"

    def receive(self, count):
        data = b""
        while len(data) < count:
            got = self.socket.recv(count - len(data))
            if not got:
                raise EOFError("the node closed the connection")
            data += got
        return data

    def frame(self, opcode, number, key, value, tlvs, flags, ns):
        body = tlvs + key + value
        header = struct.pack("<BBHIIIHH", 0xB7, OPCODES[opcode], flags, number, len(body), ns, len(key), len(tlvs))
        return header + struct.pack("<I", crc32c(header + body) if flags & 1 else 0) + body

    def send(self, opcode, key=b"", value=b"", flags=(), ns=0, **fields):
        """Sends one request, in fragments if need be, and answers its id."""
        self.last_id += 1
        bits, tlvs = sum(FLAGS[name] for name in flags), encode_tlvs(fields)
        pieces = [value[at:at + FRAGMENT] for at in range(0, len(value), FRAGMENT)] or [b""]
        for n, piece in enumerate(pieces):
            more = FLAGS["more"] if n + 1 < len(pieces) else 0
            self.socket.sendall(self.frame(opcode, self.last_id, key, piece, tlvs, bits | more, ns))
            key, tlvs = b"", b""
        return self.last_id

    def next_frame(self):
        header = self.receive(24)
        kind, opcode, flags, number, length, _, status, tlv_length, crc = struct.unpack("<BBHIIIHHI", header)
        body = self.receive(length)
        if flags & 1:
            assert crc == crc32c(header[:20] + body), "checksum"
        return kind, opcode, flags, number, status, decode_tlvs(body[:tlv_length]), body[tlv_length:]

    def answer(self, number):
        """(status, fields, value) of a response, its fragments joined; pushes are kept."""
        first, joined = None, b""
        while True:
            kind, _, flags, got, status, fields, value = frame = self.next_frame()
            if kind == 0xB9:
                self.pushes.append(frame)
                continue
            assert kind == 0xB8 and got == number, "a response to something else"
            first = fields if first is None or status else first
            joined += value
            if not flags & FLAGS["more"]:
                return STATUS.get(status, "%#06x" % status), first, joined

    def call(self, opcode, key=b"", value=b"", **more):
        return self.answer(self.send(opcode, key, value, **more))

    def push(self):
        return self.pushes.pop(0) if self.pushes else self.next_frame()


def run_tokens(address, trusted, check):
    """Operations about tokens, and what one of them may do. For a peer that may administer the node."""
    check("auth", "unauthenticated", credential=b"kvt_wrong")
    grant = json.dumps({"name": "reference client", "scopes": ["read"], "prefix": "a"}).encode()
    made = json.loads(check("token_create", "ok", b"", grant)[1])
    listed = json.loads(check("token_list", "ok")[1])["tokens"]
    assert made["id"] in [token["id"] for token in listed] and made["secret"] not in str(listed)
    reader = Client(address, trusted)
    assert reader.call("auth", credential=made["secret"].encode())[1]["scope"] == b"read"
    ns = reader.call("open", b"default")[1]["namespace"]
    assert [reader.call(*what, ns=ns)[0] for what in (("get", b"absent"), ("get", b"b"), ("put", b"a", b"1"))] == [
        "not_found", "denied", "denied"]
    check("token_revoke", "ok", b"", json.dumps({"id": made["id"]}).encode())
    assert reader.call("get", b"absent", ns=ns)[0] == "unauthenticated"


def run_mirror(ns, check):
    """What a mirror writes, and what others then read."""
    rules = struct.pack("<BBHQ", 1, 1, 2, 0) + b"m:"
    check("batch", "ok", b"", item("put", b"\0edged:rules", rules), ns=ns, source_position=b"")
    check("get", "stale", b"m:1", ns=ns)
    at = struct.pack(">Q", 0x16B3748)
    check("batch", "ok", b"", item("put", b"m:1", b"row"), ns=ns, source_position=at, fresh_as_of=1)
    fields, value = check("get", "ok", b"m:1", ns=ns, min_position=at)
    assert (value, fields) == (b"row", {"source_position": at, "fresh_as_of": 1})
    check("get", "stale", b"m:1", ns=ns, min_position=struct.pack(">Q", 0x16B3749))
    assert check("get", "stale", b"m:1", ns=ns, max_staleness=1000)[0]["fresh_as_of"] == 1
    check("put", "conflict", b"m:1", b"mine", ns=ns)
    check("get", "not_found", b"\0edged:rules", ns=ns)
    assert check("get", "ok", b"\0edged:rules", ns=ns, source_position=b"")[1] == rules
    forgotten = item("delete", b"\0edged:rules") + item("delete", b"\0edged:position")
    check("batch", "ok", b"", forgotten, ns=ns, source_position=b"")
    check("delete", "ok", b"m:1", ns=ns)


def run(address, trusted=None):
    client = Client(address, trusted)

    def check(name, wanted, key=b"", value=b"", **more):
        status, fields, answer = client.call(name, key, value, **more)
        assert status == wanted, (name, status, fields)
        print("%-18s %s" % (name, status))
        return fields, answer

    assert check("ping", "ok", b"", b"hi", flags=["crc"])[1] == b"hi"
    if "EDGED_TOKEN" in os.environ:
        check("auth", "ok", credential=os.environ["EDGED_TOKEN"].encode())
    check("open", "ok", b"default")
    check("open", "namespace_not_found", b"no such namespace")
    made, _ = check("namespace_create", "ok", title=b"reference client")
    ns = made["namespace"]
    check("namespace_create", "exists", title=b"reference client")
    check("namespace_rename", "ok", ns=ns, title=b"reference")
    listed = items(check("namespace_list", "ok")[1])
    assert (b"reference", made["namespace_id"]) in [(f["title"], f["namespace_id"]) for _, _, _, f in listed]

    version = check("put", "ok", b"a", b"1", ns=ns, metadata=b"{}", flags=["sync"])[0]["version"]
    fields, value = check("get", "ok", b"a", ns=ns, flags=["info", "metadata", "crc"])
    assert (value, fields) == (b"1", {"version": version, "metadata": b"{}"})
    check("get", "not_found", b"absent", ns=ns)
    assert check("put_if_absent", "exists", b"a", b"2", ns=ns)[0]["version"] == version
    check("put_if_present", "ok", b"a", b"2", ns=ns, ttl=60_000)
    check("put_if_version", "version_mismatch", b"a", b"3", ns=ns, if_version=version)
    check("touch", "ok", b"a", ns=ns, ttl=1000)
    fields, value = check("get_and_touch", "ok", b"a", ns=ns, flags=["info"])
    assert value == b"2" and "expires_at" not in fields
    check("delete_if_version", "version_mismatch", b"a", ns=ns, if_version=version)
    assert check("add", "ok", b"n", ns=ns, delta=-3, initial=10)[1] == b"7"
    large = bytes(range(256)) * 8192
    check("put", "ok", b"large", large, ns=ns)
    fields, value = check("get", "ok", b"large", ns=ns)
    assert value == large and fields["value_bytes"] == len(large)

    check("mput", "ok", b"", item("put", b"x", b"1") + item("put_if_absent", b"y", b"2"), ns=ns)
    got = items(check("mget", "ok", b"", b"".join(item("get", k) for k in (b"x", b"z", b"y")), ns=ns)[1])
    assert [(s, v) for s, _, v, _ in got] == [("ok", b"1"), ("not_found", b""), ("ok", b"2")]
    keys, cursor = [], {}
    while True:
        fields, page = check("list", "ok", ns=ns, limit=2, **cursor)
        keys += [key for _, key, _, _ in items(page)]
        if "cursor" not in fields:
            break
        cursor = {"cursor": fields["cursor"]}
    assert keys == sorted(keys) == [b"a", b"large", b"n", b"x", b"y"], keys
    check("mdel", "ok", b"", item("delete", b"x") + item("delete", b"y"), ns=ns)
    failed = item("check_present", b"a") + item("put", b"b", b"1") + item("check_absent", b"a")
    status = [s for s, _, _, _ in items(check("batch", "conflict", b"", failed, ns=ns)[1])]
    assert status == ["conflict", "conflict", "exists"]
    check("batch", "ok", b"", item("check_absent", b"b") + item("put", b"b", b"1"), ns=ns)

    lease = check("get", "lease_won", b"l", ns=ns, flags=["lease"], ttl=10_000)[0]["lease"]
    assert check("get", "lease_wait", b"l", ns=ns, flags=["lease"])[0]["retry_after"] > 0
    check("invalidate", "ok", b"l", ns=ns)
    check("lease_put", "stale", b"l", b"old", ns=ns, lease=lease)

    watch = client.send("watch", b"w:", ns=ns)
    assert client.answer(watch)[0] == "ok"
    check("put", "ok", b"w:1", b"x", ns=ns)
    kind, opcode, _, number, _, _, changes = client.push()
    assert (kind, opcode, number, items(changes)[0][1]) == (0xB9, OPCODES["watch"], watch, b"w:1")
    check("cancel", "ok", b"", struct.pack("<I", watch))
    client.send("put", b"q", b"1", ns=ns, flags=["quiet"])
    check("ping", "ok", flags=["fence"])

    run_mirror(ns, check)
    check("delete", "ok", b"b", ns=ns)
    assert b'"keys":' in check("namespace_usage", "ok", ns=ns)[1]
    assert check("stats", "ok")[1].startswith(b"{")
    check("clock_confirm", "ok")
    if address.startswith("unix:") or "EDGED_TOKEN" in os.environ:
        run_tokens(address, trusted, check)
    check("namespace_clear", "ok", ns=ns)
    check("namespace_delete", "ok", ns=ns)
    check("get", "namespace_not_found", b"a", ns=ns)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    run(*sys.argv[1:])
