"""Both faces of TLS: the hello that arrives at an origin is the gateway's own, nothing weak is taken from either side, and
clients' hellos are understood in any size and cut (threats.md rows 38, 42, 43, 45, 48, 55, 56, 58)."""
import socket
import ssl
import struct
import time

import pytest

from hostile import ADDRESS, NAME, Origin, Tail, client_hello, read_all, tls_to
from sites import SITES

GREASE = [0x0a0a + 0x1010 * i for i in range(16)]
STRONG = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9}
SIGNALS = {0x00ff}                        # secure renegotiation, in the form of a suite (RFC 5746)
# server_name, groups, formats, signatures, ALPN, encrypt-then-mac, extended master secret, ticket, versions, PSK modes,
# key share, renegotiation
KNOWN = {0, 5, 10, 11, 13, 16, 22, 23, 35, 43, 45, 51, 0xff01}


def vec(body, width):
    return len(body).to_bytes(width, "big") + body


def u16s(*numbers):
    return b"".join(n.to_bytes(2, "big") for n in numbers)


def hello(name, extra=(), ciphers=(0x1301, 0xc02f), versions=(0x0304, 0x0303), groups=(29, 23), pad=0):
    """A ClientHello message, with further (type, body) extensions."""
    sni = name.encode()
    exts = [(0, vec(b"\0" + vec(sni, 2), 2)), (10, vec(u16s(*groups), 2)), (13, vec(u16s(0x0403, 0x0804, 0x0401), 2)),
            (43, vec(u16s(*versions), 1)), (51, vec(u16s(29) + vec(b"\x09" + b"\0" * 31, 2), 2)), (45, b"\1\1"), *extra]
    if pad:
        exts.append((21, b"\0" * pad))
    body = (b"\3\3" + b"r" * 32 + vec(b"s" * 32, 1) + vec(u16s(*ciphers), 2) + b"\1\0" +
            vec(b"".join(u16s(kind) + vec(data, 2) for kind, data in exts), 2))
    return b"\1" + vec(body, 3)


def records(message, size=16384, version=b"\3\1"):
    return b"".join(b"\x16" + version + vec(message[i:i + size], 2) for i in range(0, len(message), size))


class Hello:
    """What a hello in one record says."""

    def __init__(self, wire):
        assert wire[0] == 22 and wire[5] == 1, wire[:6]
        self.random = wire[11:43]
        at = 43 + 1 + wire[43]
        n = int.from_bytes(wire[at:at + 2], "big")
        self.ciphers = list(struct.unpack(f">{n // 2}H", wire[at + 2:at + 2 + n]))
        at += 2 + n
        self.compression = wire[at + 1:at + 1 + wire[at]]
        at += 1 + wire[at]
        end = at + 2 + int.from_bytes(wire[at:at + 2], "big")
        at += 2
        self.exts = {}
        while at < end:
            kind, n = struct.unpack(">HH", wire[at:at + 4])
            self.exts[kind] = wire[at + 4:at + 4 + n]
            at += 4 + n

    def list_of(self, kind, width):
        body = self.exts[kind][width:]
        return list(struct.unpack(f">{len(body) // 2}H", body))


def seen_by_origin(lab, wire):
    """The hello that arrives at the origin when a client sends these bytes."""
    seen = []

    def handler(conn):
        seen.append(conn.recv(65536))
        conn.sendall(b"\x15\3\3\0\2\2\x50")
    with Origin(lab, handler, tls=False):
        with lab.connect("agent", ADDRESS, 443) as sock:
            sock.sendall(wire)
            sock.settimeout(5)
            sock.recv(100)
    assert len(seen) == 1
    return Hello(seen[0])


# ---- towards origins

def check_own(h):
    assert set(h.exts) <= KNOWN, set(h.exts) - KNOWN
    assert set(h.ciphers) <= STRONG | SIGNALS, [hex(c) for c in h.ciphers]
    assert h.list_of(43, 1) == [0x0304, 0x0303]
    assert h.list_of(10, 2)[0] == 29 and not set(h.list_of(10, 2)) & set(GREASE)   # X25519 first
    assert h.compression == b"\0" and h.random != b"r" * 32
    assert not {0x0201, 0x0203, 0x0202, 0x0101} & set(h.list_of(13, 2))            # neither SHA-1, DSA nor MD5


ODD = [(0x1234, b"unknown"), (0x0a0a, b""), (0xfafa, b"\0"), (0xfe0d, b"\0" * 200), (17513, b"\0\3\2h2"), (5, b"\1\0\0\0\0"),
       (18, b""), (27, b"\2\0\2"), (28, b"\x40\1")]


def test_the_hello_at_the_origin_is_our_own(lab, gw):
    """Row 43: unknown extensions, GREASE, ECH, ALPS, status request, SCT, compressed certificates, record limit."""
    odd = hello(NAME, ODD, ciphers=(0x3a3a, 0x1301, 0x0005, 0x000a, 0x0003, 0x0001, 0xc013, 0x009c, 0xc02f), groups=(0x4a4a, 29))
    a, b = seen_by_origin(lab, records(odd)), seen_by_origin(lab, client_hello(NAME))
    for h in (a, b):
        check_own(h)
    assert (set(a.exts) - {16}, a.ciphers) == (set(b.exts) - {16}, b.ciphers)
    assert a.random != b.random


def test_old_protocols_and_ciphers_are_not_offered(lab, gw):
    """Row 38: a client that offers nothing but the past is answered by us, and the origin hears nothing of it."""
    h = seen_by_origin(lab, records(hello(NAME, ciphers=(0x0005, 0x000a, 0x002f), versions=(0x0303, 0x0302, 0x0301, 0x0300))))
    check_own(h)


def test_a_client_of_tls_1_3_alone_reaches_no_origin_below(lab, gw):
    h = seen_by_origin(lab, records(hello(NAME, versions=(0x0304,))))
    assert h.list_of(43, 1) == [0x0304] and {0x1301} <= set(h.ciphers)


def test_a_client_of_256_bits_reaches_no_origin_with_128(lab, gw):
    h = seen_by_origin(lab, records(hello(NAME, ciphers=(0x1302, 0xc030, 0xcca8))))
    assert not {0x1301, 0xc02b, 0xc02f} & set(h.ciphers) and {0x1302, 0xc030} <= set(h.ciphers)


def test_asked_after_the_handshake_only_where_the_client_may_be(lab, gw):
    assert 49 in seen_by_origin(lab, records(hello(NAME, [(49, b"")]))).exts
    assert 49 not in seen_by_origin(lab, records(hello(NAME))).exts


def server_hello(random=b"\7" * 32, cipher=0xc02f, compression=0, exts=((0xff01, b"\0"),), version=0x0303):
    body = u16s(version) + random + b"\0" + u16s(cipher) + bytes([compression]) + \
        vec(b"".join(u16s(kind) + vec(data, 2) for kind, data in exts), 2)
    return records(b"\2" + vec(body, 3), version=b"\3\3")


BAD_HELLOS = {
    "downgrade sentinel of TLS 1.2": (server_hello(b"\7" * 24 + b"DOWNGRD\1"), "inappropriate fallback"),
    "downgrade sentinel of TLS 1.1": (server_hello(b"\7" * 24 + b"DOWNGRD\0"), "inappropriate fallback"),
    "compression": (server_hello(compression=1), "compression"),
    "no secure renegotiation": (server_hello(exts=()), "unsafe legacy renegotiation"),
    "an extension nobody asked for": (server_hello(exts=((0xff01, b"\0"), (1, b"\1"))), "unsolicited extension"),
    "a cipher nobody offered": (server_hello(cipher=0x0005), "unknown cipher"),
    "TLS 1.1": (server_hello(version=0x0302), "unsupported protocol"),
    "SSL 3.0": (server_hello(version=0x0300), "unsupported protocol"),
}


@pytest.mark.parametrize("what", BAD_HELLOS)
def test_an_origin_that_would_weaken_the_connection_is_refused(lab, gw, what):
    """Row 42: and no second attempt is made, as no rule could allow it."""
    answer, why = BAD_HELLOS[what]
    seen, tail = [], Tail(gw)

    def handler(conn):
        seen.append(conn.recv(65536))
        conn.sendall(answer)
        read_all(conn, 1)
    with Origin(lab, handler, tls=False):
        tls = tls_to(lab)
        port = tls.getsockname()[1]
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        got, _ = read_all(tls, 5)
        assert got.split(b" ")[1] in (b"502", b"403"), got[:100]
        tls.close()
    reason, detail = tail.flow(port)
    assert reason in ("upstream-tls", "certificate") and (why in detail or detail == "weak-tls"), (reason, detail)
    assert len(seen) == 1


def test_an_origin_that_sends_byte_by_byte_meets_the_deadline(lab, gw):
    """Row 45: the whole handshake has ten seconds, however alive the origin looks."""
    tail, began = Tail(gw), time.monotonic()

    def handler(conn):
        conn.recv(65536)
        for byte in server_hello() + records(b"\x0b" + vec(b"\0" * 3000, 3), version=b"\3\3"):
            conn.sendall(bytes([byte]))
            time.sleep(0.05)
    with Origin(lab, handler, tls=False):
        tls = tls_to(lab, sock=lab.connect("agent", ADDRESS, 443, timeout_s=20))
        port = tls.getsockname()[1]
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        got, _ = read_all(tls, 15)
        assert got.startswith(b"HTTP/1.1 502 ") and time.monotonic() - began < 13
        tls.close()
    assert tail.flow(port) == ("upstream-tls", "timeout")


# ---- towards clients

def answer_to(lab, pieces, pause_s=0.0, to="cdn.example"):
    """The first bytes of the gateway's answer to a hello sent in pieces."""
    with lab.connect("agent", SITES[to].v4, 443) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = sock.getsockname()[1]
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause_s)
        sock.settimeout(10)
        return sock.recv(4096), port


def cuts(wire):
    yield "whole", [wire], 0
    yield "two segments", [wire[:1400], wire[1400:]], 0.05
    yield "first byte alone", [wire[:1], wire[1:]], 0.05
    yield "in the record's head", [wire[:3], wire[3:]], 0.05
    yield "last byte alone", [wire[:-1], wire[-1:]], 0.05
    yield "byte by byte to the name", [bytes([b]) for b in wire[:150]] + [wire[150:]], 0.002
    yield "segments of 1,000", [wire[i:i + 1000] for i in range(0, len(wire), 1000)], 0.002


@pytest.mark.parametrize("size", [0, 2000, 17000, 60000])
def test_hellos_of_any_size_in_any_cut(lab, gw, size):
    """Rows 55 and 56: the allowed name is served, the blocked one never reached, as post-quantum hellos make them and worse."""
    for record_size in (16384, 4000, 100):
        allowed = records(hello("cdn.example", pad=size), record_size)
        blocked = records(hello("casino.example", pad=size), record_size)
        if len(allowed) > 65536:
            continue
        for how, pieces, pause_s in cuts(allowed):
            got, _ = answer_to(lab, pieces, pause_s)
            assert got[:1] == b"\x16" and got[5] == 2, (size, record_size, how, got[:20])
        syns, tail = lab.syns("cdn.example", 443), Tail(gw)
        for how, pieces, pause_s in cuts(blocked):
            _, port = answer_to(lab, pieces, pause_s)
            assert tail.flow(port)[0] in ("policy", "client-tls"), (size, record_size, how)
        assert lab.syns("cdn.example", 443) == syns


def test_a_hello_past_64_kib_is_refused(lab, gw):
    tail = Tail(gw)
    got, port = answer_to(lab, [records(hello("cdn.example", pad=64000), 50)])
    assert got[:1] == b"\x15" and tail.flow(port)[0] == "hello"


def test_grease_and_ech_are_judged_by_the_outer_name(lab, gw):
    """Row 58: real or for show, nobody can tell; the name that is seen decides, and the log says that there was one."""
    for name, want in (("cdn.example", None), ("casino.example", "policy")):
        tail = Tail(gw)
        got, port = answer_to(lab, [records(hello(name, [(0xfe0d, b"\0" * 300), (0x1a1a, b""), (0xdada, b"\0")],
                                                  ciphers=(0x2a2a, 0x1301), groups=(0x6a6a, 29), versions=(0x7a7a, 0x0304)))])
        assert got[:1] == b"\x16" and got[5] == 2
        tail.flow(port)
        e = tail.of(port)[0]
        assert e["perron"]["ech"] == "true" and e["tls"]["sni"] == name
        assert want is None or e["perron"]["reason"] == want


def alert(lab, message):
    got, _ = answer_to(lab, [records(message)])
    return got[5:7] if got[:1] == b"\x15" else got[:6]


def test_what_clients_are_refused(lab, gw):
    """Row 48; the fallback signal of RFC 7507 too (row 42)."""
    fatal = {"version": b"\2\x46", "handshake": b"\2\x28", "fallback": b"\2\x56"}
    assert alert(lab, hello("cdn.example", versions=(0x0302, 0x0301))) == fatal["version"]
    assert alert(lab, hello("cdn.example", ciphers=(0xc013, 0x009c, 0x002f), versions=(0x0303,))) == fatal["handshake"]
    assert alert(lab, hello("cdn.example", ciphers=(0xc02f, 0xc02b, 0x5600), versions=(0x0303,))) == fatal["fallback"]


def test_what_clients_are_given(lab, gw):
    """X25519 where the client knows it, AEAD, no compression, no ticket that would tie a client to a name."""
    got, _ = answer_to(lab, [records(hello("cdn.example", groups=(23, 24, 29)))])
    assert b"\x00\x33\x00\x24\x00\x1d\x00\x20" in got          # key share of X25519
    with lab.tls("agent", lab.connect("agent", SITES["cdn.example"].v4, 443), "cdn.example") as tls:
        assert tls.compression() is None and tls.cipher()[0] in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384")
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(lab.connect("agent", SITES["cdn.example"].v4, 443), server_hostname="cdn.example") as tls:
        assert tls.cipher()[0].startswith("ECDHE-ECDSA-AES")
