"""HTTP/2 with peers that break it (row 77 of the list of threats): malformed heads and content, floods, and something else
than was agreed. One named reason each, and nothing of it reaches the other side."""
import ssl
import struct

import pytest

from h2_peer import (CALM, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INTERNAL_ERROR, NAME, PING,
                     PRIORITY, PROTOCOL_ERROR, RST, SETTINGS, WINDOW, H2, H2Origin, h2_client, http_events, origin,
                     plain_answer, serving)  # noqa: F401 (origin is a fixture)
from hostile import Tail
from sites import SITES


# ---- malformed (row 77): one reason each, and nothing of it reaches the origin

BASE = [(":method", "GET"), (":scheme", "https"), (":authority", NAME), (":path", "/")]
MALFORMED = {
    "connection-field": BASE + [("connection", "close")],
    "connection-field keep-alive": BASE + [("keep-alive", "1")],
    "connection-field transfer-encoding": BASE + [("transfer-encoding", "chunked")],
    "connection-field upgrade": BASE + [("upgrade", "h2c")],
    "te": BASE + [("te", "gzip")],
    "field-name-case": BASE + [("X-Upper", "1")],
    "field-name": BASE + [("x\u007f", "1")],
    "space-before-colon": BASE + [("x y", "1")],
    "bare-cr": BASE + [("x", "a\rb")],
    "bare-lf": BASE + [("x", "a\nb: c")],
    "bare-lf name": BASE + [("x\nb", "a")],
    "nul": BASE + [("x", "a\0b")],
    "field-value-space": BASE + [("x", " a")],
    "field-lookalike": BASE + [("transfer_encoding", "chunked")],
    "pseudo-late": BASE[:3] + [("x", "1"), (":path", "/")],
    "pseudo-twice": BASE + [(":path", "/other")],
    "pseudo-unknown": BASE + [(":status", "200")],
    "pseudo-missing": BASE[:3],
    "pseudo-missing method": BASE[1:],
    "target-form": BASE[:3] + [(":path", "http://evil.example/")],
    "target-form empty": BASE[:3] + [(":path", "")],
    "target-byte": BASE[:3] + [(":path", "/a b")],
    "bare-cr path": BASE[:3] + [(":path", "/a\r\nHost: x")],
    "target-fragment": BASE[:3] + [(":path", "/a#b")],
    "target-scheme": [BASE[0], (":scheme", "http")] + BASE[2:],
    "method": [(":method", "get")] + BASE[1:],
    "bare-cr method": [(":method", "GET\r\nX")] + BASE[1:],
    "host-missing": BASE[:2] + BASE[3:],
    "host-other": BASE + [("host", "casino.example")],
    "host-twice": BASE + [("host", NAME), ("host", NAME)],
    "host-userinfo": BASE[:2] + [(":authority", "a@" + NAME)] + BASE[3:],
    "host-list": BASE[:2] + [(":authority", NAME + ",x")] + BASE[3:],
    "host-port": BASE[:2] + [(":authority", NAME + ":99999")] + BASE[3:],
    "host-empty": BASE[:2] + [(":authority", "")] + BASE[3:],
    "content-length": BASE + [("content-length", "+0")],
    "content-length-twice": BASE + [("content-length", "0"), ("content-length", "0")],
    "content-length-mismatch": BASE + [("content-length", "5")],
    "expect": BASE + [("expect", "magic")],
    "field-count": BASE + [("x", "1")] * 201,
    "head-long": BASE + [("x", "y" * 70000)],
    "protocol": [(":method", "CONNECT"), (":protocol", "connect-udp")] + BASE[1:],
}


def split_frames(c, stream, block, end=True):
    """A head in as many frames as it needs."""
    pieces = [block[i:i + 16384] for i in range(0, len(block), 16384)]
    for i, piece in enumerate(pieces):
        kind = HEADERS if i == 0 else CONTINUATION
        flags = (END_HEADERS if i == len(pieces) - 1 else 0) | (END_STREAM if end and i == 0 else 0)
        c.send(kind, flags, stream, piece)


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_head_row_77(lab, gw, case):
    seen = []

    def answer(peer, stream, fields):
        seen.append(fields)
        plain_answer(peer, stream, fields)
    with H2Origin(lab, serving(answer)):
        tail, c = Tail(gw), h2_client(lab)
        split_frames(c, 1, c.head(MALFORMED[case]), end=not case.startswith("protocol"))
        c.next_stream = 3
        a = c.answer(1)
        assert a.status in (400, 413, 417, 431, 501) and a.ended, a
        e = http_events(tail, c.port)[0]
        assert (e["perron"]["reason"], e["perron"]["detail"]) == ("client-http", case.split()[0])
        assert not seen
        assert c.answer(c.request("/after")).status == 200, "the other streams are not to blame"


def test_content_longer_or_shorter_than_said_row_77(lab, gw):
    ended = []

    def script(peer):
        while True:
            f = peer.next(20)
            if f is None:
                return
            if f.end:
                ended.append(f)
    with H2Origin(lab, script):
        for body in (b"123456", b"1234"):
            tail, c = Tail(gw), h2_client(lab)
            s = c.request("/x", method="POST", fields=[("content-length", "5")], end=False)
            c.data(s, body, end=True)
            a = c.answer(s)
            assert a.code == PROTOCOL_ERROR, a
            assert http_events(tail, c.port)[0]["perron"]["detail"] == "content-length-mismatch"
            c.close()
    assert not ended, "half a request must not look whole"


BAD_ANSWERS = {
    "pseudo-missing": [("x", "1")],
    "status-code": [(":status", "20")],
    "switching": [(":status", "101")],
    "connection-field": [(":status", "200"), ("connection", "close")],
    "nul": [(":status", "200"), ("x", "a\0")],
    "bare-cr": [(":status", "200"), ("x", "a\r\nSet-Cookie: y")],
    "pseudo-unknown": [(":status", "200"), (":path", "/")],
    "content-length-mismatch": [(":status", "200"), ("content-length", "7")],
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_malformed_answer_row_77(lab, gw, case):
    with H2Origin(lab, serving(lambda peer, s, f: peer.headers(s, BAD_ANSWERS[case], end=True))):
        tail, c = Tail(gw), h2_client(lab)
        a = c.answer(c.request("/x"))
        assert a.status == 502 and a.ended, a
        e = http_events(tail, c.port)[0]
        assert (e["perron"]["reason"], e["perron"]["detail"]) == ("origin-http", case)


def test_answer_shorter_than_said(lab, gw):
    def answer(peer, stream, fields):
        peer.headers(stream, [(":status", "200"), ("content-length", "10")])
        peer.data(stream, b"12345", end=True)
    with H2Origin(lab, serving(answer)):
        tail, c = Tail(gw), h2_client(lab)
        a = c.answer(c.request("/x"))
        assert not a.ended and a.code == INTERNAL_ERROR, a     # the head may be overtaken by the reset
        assert http_events(tail, c.port)[0]["perron"]["detail"] == "content-length-mismatch"


def test_content_behind_an_answer_without_any(lab, gw):
    def answer(peer, stream, fields):
        peer.headers(stream, [(":status", "204")])
        peer.data(stream, b"smuggled", end=True)
    with H2Origin(lab, serving(answer)):
        c = h2_client(lab)
        assert b"smuggled" not in c.answer(c.request("/x")).body


# ---- floods (row 77): one named reason each

def flood(lab, gw, frames):
    """Sends until the gateway has had enough; (code of GOAWAY, reason, detail of the flow)."""
    tail, c = Tail(gw), h2_client(lab)
    try:
        for f in frames(c):
            c.sock.sendall(f)
    except OSError:
        pass
    away = c.goaway()
    c.close()
    return (away.code if away else None, *tail.flow(c.port))


def rapid_reset(c):
    for _ in range(2000):
        s, c.next_stream = c.next_stream, c.next_stream + 2
        yield (H2.frame(HEADERS, END_HEADERS | END_STREAM, s, c.head(BASE)) +
               H2.frame(RST, 0, s, struct.pack(">I", CANCEL)))


def continuations(c):
    yield H2.frame(HEADERS, 0, 1, c.head(BASE))
    for _ in range(100):
        yield H2.frame(CONTINUATION, 0, 1, b"")


def bomb(c):
    block = c.head(BASE) + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000     # literal, indexed: 4,000 bytes
    block += b"\xbe" * 12000                                          # ... and 12,000 times the same
    yield H2.frame(HEADERS, END_HEADERS | END_STREAM, 1, block[:16384])


def made_you_reset(c):
    for _ in range(2000):
        s, c.next_stream = c.next_stream, c.next_stream + 2
        yield (H2.frame(HEADERS, END_HEADERS, s, c.head([(":method", "POST")] + BASE[1:] + [("content-length", "1")])) +
               H2.frame(DATA, 0, s, b"xx"))


FLOODS = {
    "h2-rapid-reset": rapid_reset,
    "h2-rapid-reset made": made_you_reset,
    "h2-continuation-flood": continuations,
    "h2-head-bomb": bomb,
    "h2-settings-flood": lambda c: (H2.frame(SETTINGS, 0, 0) for _ in range(2000)),
    "h2-ping-flood": lambda c: (H2.frame(PING, 0, 0, b"12345678") for _ in range(2000)),
    "h2-frame-flood priority": lambda c: (H2.frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") for _ in range(20000)),
    "h2-frame-flood window": lambda c: (H2.frame(WINDOW, 0, 0, struct.pack(">I", 1)) for _ in range(20000)),
    "h2-frame-flood unknown": lambda c: (H2.frame(0x77, 0, 0, b"x") for _ in range(20000)),
    "h2-frame-flood acks": lambda c: (H2.frame(PING, 1, 0, b"12345678") for _ in range(20000)),
}


@pytest.mark.parametrize("case", FLOODS)
def test_flood_row_77(lab, gw, origin, case):
    code, reason, detail = flood(lab, gw, FLOODS[case])
    assert (code, reason, detail) == (CALM, "client-http", case.split()[0])
    c = h2_client(lab)     # and the gateway serves on
    assert c.answer(c.request("/x")).status == 200


@pytest.mark.parametrize("flags, payload", [(0, b""), (8, b"\0"), (8, b"\x05" + bytes(5))], ids=["empty", "padded", "padding"])
def test_flood_of_empty_content_row_77(lab, gw, flags, payload):
    def frames(c):
        s = c.request("/x", method="POST", end=False)
        return (H2.frame(DATA, flags, s, payload) for _ in range(9000))
    with H2Origin(lab, lambda peer: peer.until(lambda f: False, 20)):    # which never answers
        assert flood(lab, gw, frames) == (CALM, "client-http", "h2-frame-flood")


def test_origin_that_floods(lab, gw):
    def script(peer):
        peer.until(lambda f: f.kind == HEADERS)
        try:
            for _ in range(5000):
                peer.send(SETTINGS)
        except OSError:
            pass
    with H2Origin(lab, script):
        tail, c = Tail(gw), h2_client(lab)
        a = c.answer(c.request("/x"))
        assert a.status == 502, a
        e = http_events(tail, c.port)[0]
        assert (e["perron"]["reason"], e["perron"]["detail"]) == ("origin-http", "h2-settings-flood")


def test_pushed_streams_are_refused(lab, gw):
    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        peer.send(5, END_HEADERS, f.stream, struct.pack(">I", 2) + peer.head(BASE))
        peer.rest()
    with H2Origin(lab, script):
        tail, c = Tail(gw), h2_client(lab)
        assert c.answer(c.request("/x")).status == 502
        assert http_events(tail, c.port)[0]["perron"]["reason"] == "origin-http"


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: closed.example\r\n\r\n", b"\0" * 64])
def test_h2_agreed_and_something_else_spoken(lab, gw, origin, first):
    tail = Tail(gw)
    sock = h2_client(lab)     # one that is fine, so that the origin is known to be
    assert sock.answer(sock.request("/x")).status == 200
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    context.set_alpn_protocols(["h2"])
    raw = lab.connect("agent", SITES[NAME].v4, 443)
    port = raw.getsockname()[1]
    tls = context.wrap_socket(raw, server_hostname=NAME)
    tls.sendall(first)
    assert tail.flow(port) == ("client-http", "h2-preface")


def test_priorities_are_not_heard(lab, gw, origin):
    c = h2_client(lab)
    c.send(HEADERS, END_HEADERS | END_STREAM | 0x20, 1, b"\x80\0\0\x03\xff" + c.head(BASE))
    c.send(PRIORITY, 0, 3, b"\0\0\0\x01\x10")
    c.send(0x10, 0, 0, b"\0\0\0\x01u=0")      # PRIORITY_UPDATE
    c.next_stream = 5
    assert c.answer(1).status == 200
    assert c.answer(c.request("/x", fields=[("priority", "u=1, i")])).status == 200
