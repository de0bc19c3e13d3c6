"""HTTP/2 with peers that do exactly what a test says: what passes, what does not, and how it ends. Row numbers are those
of the list of threats: 60 ALPN, 83 and 84 names on one connection, 93 WebSocket, 112 origins that die. Those that break the
protocol: test_h2_hostile.py."""
import json
import socket
import ssl
import struct
import threading
import time

import pytest

from gateway import CODE, policy
from h2_peer import (CANCEL, CONNECT_PROTOCOL, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INTERNAL_ERROR, MAX_STREAMS,
                     NAME, PING, REFUSED, RST, WINDOW, WINDOW_SIZE, H2, H2Origin, h2_client, http_events, origin, plain_answer,
                     serving)  # noqa: F401 (origin is a fixture)
from hostile import Tail, shown_flow
from space import wait_for


# ---- what passes

def test_many_streams_are_many_exchanges(lab, gw, origin):
    tail, c = Tail(gw), h2_client(lab)
    streams = [c.request(f"/n{i}") for i in range(20)]
    for i, s in enumerate(streams):
        a = c.answer(s)
        assert (a.status, a.body, a.ended) == (200, b"/n%d\n" % i, True), a
    events = http_events(tail, c.port, 20)
    assert len({e["perron"]["code"] for e in events}) == 20
    assert {e["http"]["url"] for e in events} == {f"/n{i}" for i in range(20)}
    assert {e["http"]["protocol"] for e in events} == {"HTTP/2"}
    c.close()
    assert tail.flow(c.port) == ("done", "")
    assert tail.of(c.port)[0]["flow"]["tx_cnt"] == 20


def packed(c, path, fields=()):
    """A request that is still to be sent: its stream and its frame."""
    s, c.next_stream = c.next_stream, c.next_stream + 2
    return s, H2.frame(HEADERS, END_HEADERS | END_STREAM, s, c.head(
        [(":method", "GET"), (":scheme", "https"), (":authority", NAME), (":path", path), *fields]))


def test_every_request_of_one_record_is_told(lab, gw, origin):
    """Also one that is taken back in the same breath, and those before a frame that ends the connection."""
    tail, c = Tail(gw), h2_client(lab)
    first, one = packed(c, "/first")
    gone, two = packed(c, "/taken-back")
    last, three = packed(c, "/last")
    c.sock.sendall(one + two + H2.frame(RST, 0, gone, struct.pack(">I", CANCEL)) + three)
    assert c.answer(first).body == b"/first\n" and c.answer(last).body == b"/last\n"
    events = {e["http"]["url"]: e["perron"] for e in http_events(tail, c.port, 3)}
    assert events["/first"]["reason"] == events["/last"]["reason"] == "done"
    assert (events["/taken-back"]["reason"], events["/taken-back"]["detail"]) == ("client-closed", "reset")
    before, four = packed(c, "/before")
    c.sock.sendall(four + H2.frame(PING, 0, 0, b"short"))
    assert c.goaway()
    assert {e["http"]["url"] for e in http_events(tail, c.port, 4)} == {"/first", "/taken-back", "/last", "/before"}
    c.close()
    assert tail.flow(c.port)[0] == "client-http"
    assert tail.of(c.port)[0]["flow"]["tx_cnt"] == 4


@pytest.mark.parametrize("n,asked", [(2, False), (30, True)])
def test_what_is_taken_back_before_it_was_judged_is_not_asked(lab, gw, n, asked):
    """Heads of a read wait for each other, but not more of them than LIM_H2_ASKED_BYTES: here 30 of some 30 KB each."""
    paths = []

    def answer(peer, stream, fields):
        paths.append(fields[":path"])
        plain_answer(peer, stream, fields)
    with H2Origin(lab, serving(answer)):
        tail, c = Tail(gw), h2_client(lab)
        assert c.answer(c.request("/x")).status == 200
        gone, bytes = packed(c, "/taken-back", [("x-large", "y" * 3000)] * 10)
        for i in range(1, n):
            last, more = packed(c, f"/n{i}", [("x-large", "y" * 3000)] * 10)
            bytes += more
        c.sock.sendall(bytes + H2.frame(RST, 0, gone, struct.pack(">I", CANCEL)))
        assert c.answer(last).body == b"/n%d\n" % (n - 1)
        events = {e["http"]["url"]: e["perron"] for e in http_events(tail, c.port, n + 1)}
        assert (events["/taken-back"]["reason"], events["/taken-back"]["detail"]) == ("client-closed", "reset")
        assert ("/taken-back" in paths) == asked and paths[-1] == f"/n{n - 1}"


def test_the_end_of_asking_leaves_what_is_still_answered(lab, gw):
    """A request that was answered before its end is given up in order, another is asked, and the client has no more to
    ask: all in one read."""
    go_on = threading.Event()

    def answer(peer, stream, fields):
        if fields[":path"] == "/late":
            go_on.wait(10)
        plain_answer(peer, stream, fields)
    with H2Origin(lab, serving(answer)):
        tail, c = Tail(gw), h2_client(lab)
        half = c.request("/half", method="POST", end=False)
        assert c.answer(half).ended
        late, frame = packed(c, "/late")
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        c.sock.sendall(H2.frame(RST, 0, half, struct.pack(">I", 0)) + frame)
        c.sock.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            c.sock.unwrap()     # says close_notify; there is none to be read yet
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        time.sleep(0.3)
        go_on.set()
        assert c.answer(late).body == b"/late\n"
        events = {e["http"]["url"]: e["perron"]["reason"] for e in http_events(tail, c.port, 2)}
        assert events == {"/half": "done", "/late": "done"}
        assert tail.flow(c.port)[0] == "done"


def test_fields_pass_as_they_are_but_for_those_of_the_hop(lab, gw):
    seen = []

    def answer(peer, stream, fields):
        seen.append(peer.of(stream, HEADERS)[0].fields)
        peer.headers(stream, [(":status", "200"), ("alt-svc", 'h3=":443"'), ("x-two", "a"), ("x-two", "b"),
                              ("server", "me")], end=True)
    with H2Origin(lab, serving(answer)):
        c = h2_client(lab)
        a = c.answer(c.request("/a/../b?x=%20&y", fields=[("te", "trailers"), ("x-own", "1"), ("cookie", "a=1"),
                                                          ("cookie", "b=2"), ("proxy-authorization", "Basic x"),
                                                          ("x-empty", "")]))
    assert a.status == 200 and "alt-svc" not in a.fields, a
    assert [v for k, v in c.of(1, HEADERS)[0].fields if k == "x-two"] == ["a", "b"]
    got = seen[0]
    assert (":path", "/a/../b?x=%20&y") in got and (":authority", NAME) in got
    assert ("te", "trailers") in got and ("x-own", "1") in got and ("x-empty", "") in got
    assert ("cookie", "a=1") in got and ("cookie", "b=2") in got
    assert "proxy-authorization" not in dict(got) and "via" not in dict(got)


def test_never_indexed_fields_stay_so(lab, gw):
    raw = []

    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        raw.append(f.payload)
        plain_answer(peer, f.stream, dict(f.fields))
        peer.rest()
    with H2Origin(lab, script):
        c = h2_client(lab)
        secret = b"\x10\x08x-secret\x06hidden"        # RFC 7541 section 6.2.3
        c.send(HEADERS, END_HEADERS | END_STREAM, 1, c.head([(":method", "GET"), (":scheme", "https"), (":authority", NAME),
                                                               (":path", "/")]) + secret)
        assert c.answer(1).status == 200
    at = raw[0].find(b"hidden")
    if at < 0:   # Huffman-coded
        assert any(b & 0xf0 == 0x10 for b in raw[0]), raw[0]
    else:
        assert 0x10 in raw[0][:at]


def test_trailers_both_ways(lab, gw):
    seen = []

    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        last = peer.until(lambda f: f.end)
        seen.append((dict(f.fields), last.fields))
        peer.headers(f.stream, [(":status", "200")])
        peer.data(f.stream, b"body")
        peer.headers(f.stream, [("grpc-status", "0"), ("content-length", "99"), ("x-sum", "abc")], end=True)
        peer.rest()
    with H2Origin(lab, script):
        c = h2_client(lab)
        s = c.request("/t", method="POST", end=False)
        c.data(s, b"up")
        c.headers(s, [("x-up", "1"), ("host", "evil.example")], end=True)
        a = c.answer(s)
    assert (a.status, a.body, a.ended) == (200, b"body", True)
    assert a.trailers == {"grpc-status": "0", "x-sum": "abc"}
    assert seen[0][1] == [("x-up", "1")]


def test_interim_answers_pass(lab, gw):
    def answer(peer, stream, fields):
        peer.headers(stream, [(":status", "103"), ("link", "</a.css>; rel=preload"), ("alt-svc", 'h3=":443"')])
        time.sleep(0.3)
        plain_answer(peer, stream, fields)
    with H2Origin(lab, serving(answer)):
        c = h2_client(lab)
        s = c.request("/x")
        early = c.until(lambda f: f.kind == HEADERS)
        assert (early.field(":status"), early.field("link")) == ("103", "</a.css>; rel=preload")
        assert early.field("alt-svc") is None    # QUIC is refused: an origin is not to promise it, early or late
        a = c.answer(s)
        assert a.status == 200 and a.ended
        assert c.of(s, HEADERS)[1].at - early.at > 0.2


def test_continue_is_asked_and_given(lab, gw):
    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        assert f.field("expect") == "100-continue"
        peer.headers(f.stream, [(":status", "100")])
        assert peer.until(lambda f: f.end)
        plain_answer(peer, f.stream, dict(f.fields))
        peer.rest()
    with H2Origin(lab, script):
        c = h2_client(lab)
        s = c.request("/x", method="POST", fields=[("expect", "100-continue"), ("content-length", "4")], end=False)
        assert c.until(lambda f: f.kind == HEADERS).field(":status") == "100"
        c.data(s, b"body", end=True)
        assert c.answer(s).status == 200


def test_events_stream_without_delay(lab, gw):
    def answer(peer, stream, fields):
        peer.headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
        for i in range(5):
            peer.data(stream, b"data: %d %f\n\n" % (i, time.monotonic()))
            time.sleep(0.2)
        peer.data(stream, b"", end=True)
    with H2Origin(lab, serving(answer)):
        c = h2_client(lab)
        s = c.request("/events")
        a = c.answer(s)
    frames = [f for f in c.of(s, DATA) if f.payload]
    assert len(frames) == 5 and a.ended
    assert all(f.at - float(f.payload.split()[2]) < 0.1 for f in frames), frames


def test_both_ways_at_once(lab, gw):
    """What gRPC does: each message is answered before the next is sent, on one stream."""
    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        assert (f.field("te"), f.field("content-type")) == ("trailers", "application/grpc")
        peer.headers(f.stream, [(":status", "200"), ("content-type", "application/grpc")])
        while True:
            d = peer.until(lambda f: f.kind == DATA)
            if d.payload:
                peer.data(f.stream, b"re:" + d.payload)
            if d.end:
                break
        peer.headers(f.stream, [("grpc-status", "0")], end=True)
        peer.rest()
    with H2Origin(lab, script):
        c = h2_client(lab)
        s = c.request("/svc/Method", method="POST", fields=[("te", "trailers"), ("content-type", "application/grpc")],
                      end=False)
        for i in range(5):
            c.data(s, b"msg%d" % i)
            got = c.until(lambda f: f.kind == DATA and f.payload, 3)
            assert got and got.payload == b"re:msg%d" % i
        c.data(s, b"", end=True)
        a = c.answer(s)
    assert a.trailers == {"grpc-status": "0"} and a.ended


# ---- WebSocket, CONNECT (row 93)

def test_websocket_over_h2(lab, gw):
    seen = []

    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        seen.append(dict(f.fields))
        peer.headers(f.stream, [(":status", "200"), ("sec-websocket-protocol", "chat")])
        while True:
            d = peer.until(lambda f: f.kind == DATA, 20)
            if d is None:
                return
            peer.data(f.stream, d.payload[::-1], end=d.end)
    with H2Origin(lab, script, settings={CONNECT_PROTOCOL: 1}):
        tail, c = Tail(gw), h2_client(lab)
        wait_for("the offer", lambda: c.next(0.2) is None and c.peer_settings.get(CONNECT_PROTOCOL) == 1)
        c.headers(1, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", NAME),
                      (":path", "/chat"), ("sec-websocket-version", "13")])
        assert c.until(lambda f: f.kind == HEADERS).field(":status") == "200"
        for word in (b"hello", b"world"):
            c.data(1, word)
            assert c.until(lambda f: f.kind == DATA).payload == word[::-1]
        c.data(1, b"", end=True)
        assert c.answer(1).ended
        assert (seen[0][":method"], seen[0][":protocol"], seen[0][":path"]) == ("CONNECT", "websocket", "/chat")
        assert http_events(tail, c.port)[0]["http"]["http_method"] == "GET"


def test_websocket_is_not_offered_where_the_origin_does_not(lab, gw, origin):
    c = h2_client(lab)
    assert c.answer(c.request("/x")).status == 200
    assert CONNECT_PROTOCOL not in c.peer_settings
    c.headers(3, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", NAME),
                  (":path", "/chat")])
    assert c.answer(3).status == 501
    assert c.answer(c.request("/still", fields=())) is not None


def test_connect_opens_no_tunnel(lab, gw, origin):
    tail, c = Tail(gw), h2_client(lab)
    c.headers(1, [(":method", "CONNECT"), (":authority", NAME + ":22")])
    c.next_stream = 3
    assert c.answer(1).status == 400
    assert http_events(tail, c.port)[0]["perron"]["reason"] == "not-proxied"
    assert c.answer(c.request("/after")).status == 200


# ---- each stream is decided for itself (rows 83, 84)

def test_other_host_on_an_allowed_connection(lab, gw):
    tail, before = Tail(gw), len(lab.requests("cdn.example"))
    c = h2_client(lab, "cdn.example")
    good, bad = c.request(host="cdn.example"), c.request(host="casino.example")
    upper, port = c.request(host="CASINO.example"), c.request(host="casino.example:443")
    after = c.request(host="cdn.example")
    dot = c.request(host="casino.example.")
    assert c.answer(good).status == 200 and c.answer(after).status == 200
    for s in (bad, upper, port, dot):
        a = c.answer(s)
        assert a.status == 403 and CODE.match(a.fields["perron-code"]) and a.ended, a
        assert gw.by_code(a.fields["perron-code"])[-1]["perron"]["reason"] == "policy"
    assert len(lab.requests("cdn.example")) == before + 2
    events = http_events(tail, c.port, 6)
    assert sorted(e["http"]["hostname"] for e in events) == ["casino.example"] * 4 + ["cdn.example"] * 2


def test_blocked_origin_is_not_reached_by_an_allowed_name(lab, gw):
    """Coalescing: the connection is for a blocked name, the stream says another."""
    c = h2_client(lab, "video.example", who="pupil")
    a = c.answer(c.request(host="www.school.example"))
    assert a.status == 403 and b"streaming" in a.body, a


def test_page_for_a_client_that_speaks_only_h2(lab, gw):
    tail, syns = Tail(gw), lab.syns("video.example")
    c = h2_client(lab, "video.example", who="pupil")
    a = c.answer(c.request(host="video.example", fields=[("accept", "text/html")]))
    assert a.status == 403 and a.ended and b"<html" in a.body and "connection" not in a.fields
    assert c.goaway().code == 0
    assert lab.syns("video.example") == syns
    assert tail.flow(c.port)[0] == "policy"


def test_page_to_head_and_to_a_body_that_still_comes(lab, gw):
    c = h2_client(lab, "cdn.example")
    a = c.answer(c.request(host="casino.example", method="HEAD"))
    assert (a.status, a.body, a.ended) == (403, b"", True) and int(a.fields["content-length"]) > 0
    s = c.request(host="casino.example", method="POST", end=False)
    c.data(s, b"x" * 1000)
    a = c.answer(s)
    assert a.status == 403 and a.ended and a.body
    rst = c.until(lambda f: f.kind == RST and f.stream == s, 6)
    assert rst and rst.code == 0
    assert c.answer(c.request(host="cdn.example")).status == 200


# ---- who speaks what (row 60)

def test_client_is_offered_what_the_origin_chose(lab, gw):
    with H2Origin(lab, serving(plain_answer), alpn=("http/1.1",)) as o:
        a = lab.curl("agent", f"https://{NAME}/x", "--http2", "-H", "Connection: close")
        assert (a.status, a.text) == (200, "old\n") and o.alpn == ["http/1.1"]
        tail = Tail(gw)
        with pytest.raises(Exception):   # it knows nothing else, and gets an alert
            h2_client(lab)
        wait_for("the flow that failed", lambda: [e for e in tail.events() if e["event_type"] == "flow"
                                                  and e["perron"]["reason"] in ("client-tls", "upstream-tls")])


def test_origin_is_offered_what_the_client_offers(lab, gw, origin):
    a = lab.curl("agent", f"https://{NAME}/x", "-H", "Connection: close")       # --http1.1
    assert (a.status, a.text) == (200, "old\n") and origin.alpn == ["http/1.1"]
    a = lab.curl("agent", f"https://{NAME}/x", "--http2")
    assert (a.status, a.text) == (200, "/x\n") and origin.alpn[-1] == "h2"


# ---- flow control

def test_slow_client_holds_its_origin(lab, gw):
    sent = []

    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        peer.headers(f.stream, [(":status", "200")])
        window = {0: 65535, f.stream: peer.peer_settings.get(WINDOW_SIZE, 65535)}
        while sum(sent) < 8 << 20:
            for w in peer.got:
                if w.kind == WINDOW:
                    window[w.stream] += struct.unpack(">I", w.payload)[0]
            peer.got.clear()
            n = min(16384, *window.values())
            if n > 0:
                peer.data(f.stream, b"x" * n)
                sent.append(n)
                for k in window:
                    window[k] -= n
            elif peer.next(20) is None:
                return
        peer.data(f.stream, b"", end=True)
        peer.rest()
    with H2Origin(lab, script):
        c = h2_client(lab, open_windows=False)
        s = c.request("/big")
        wait_for("the client's first window", lambda: sum(len(f.payload) for f in c.of(s, DATA)) == 65535 or
                 c.next(0.2) and False)
        time.sleep(1)
        held = sum(sent) - 65535
        assert 0 < held <= 262144 + 65536 + 16384, held
        other = c.request("/none")      # the session is not stopped by one slow stream
        c.open_windows = True
        c.window(0, 1 << 20)
        c.window(s, 1 << 20)
        a = c.answer(s, 20)
        assert (len(a.body), a.ended) == (sum(sent), True) and other


def test_slow_origin_holds_its_client(lab, gw):
    taking = threading.Event()

    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        taking.wait(20)
        peer.open_windows = True
        for d in peer.of(f.stream, DATA):
            peer.took(d)
        n = sum(len(d.payload) for d in peer.of(f.stream, DATA))
        peer.window(0, 1 << 22)
        peer.window(f.stream, 1 << 22)
        while True:
            d = peer.until(lambda x: x.kind == DATA)
            n += len(d.payload)
            if d.end:
                break
        peer.headers(f.stream, [(":status", "200"), ("x-got", str(n))], end=True)
        peer.rest()
    with H2Origin(lab, script, open_windows=False):
        c = h2_client(lab)
        s, total, left = c.request("/up", method="POST", end=False), 2 << 20, None
        wait_for("settings", lambda: WINDOW_SIZE in c.peer_settings or (c.next(0.2) and False))
        windows, sent, quiet = {0: 65535, s: c.peer_settings[WINDOW_SIZE]}, 0, 0
        for f in c.got:
            if f.kind == WINDOW:
                windows[f.stream] += struct.unpack(">I", f.payload)[0]
        while sent < total:
            n = min(16384, total - sent, *windows.values())
            if n > 0:
                c.data(s, b"y" * n)
                sent += n
                for k in windows:
                    windows[k] -= n
                continue
            f = c.next(1)
            if f is None:
                quiet += 1
                assert quiet < 10
                left = left or sent
                taking.set()
            elif f.kind == WINDOW:
                windows[f.stream] += struct.unpack(">I", f.payload)[0]
        c.data(s, b"", end=True)
        assert left is not None and left <= 262144 + 65535 + 65536 + 32768, left
        a = c.answer(s, 20)
        assert (a.status, a.fields.get("x-got")) == (200, str(total)), a


# ---- origins that stop (row 112)

def test_origin_dies_in_the_middle(lab, gw):
    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        peer.headers(f.stream, [(":status", "200")])
        peer.data(f.stream, b"half")
        time.sleep(0.3)
    with H2Origin(lab, script):
        tail, c = Tail(gw), h2_client(lab)
        a = c.answer(c.request("/x"))
        assert a.status == 200 and not a.ended and a.code == INTERNAL_ERROR, a
        e = http_events(tail, c.port)[0]
        assert (e["perron"]["reason"], e["perron"]["detail"]) == ("origin-closed", "no-answer")
        assert c.goaway().code == 0


def test_origin_resets_in_the_middle(lab, gw):
    def answer(peer, stream, fields):
        if fields[":path"] == "/cut":
            peer.headers(stream, [(":status", "200")])
            peer.data(stream, b"half")
            time.sleep(0.2)
            peer.reset(stream, INTERNAL_ERROR)
        elif fields[":path"] == "/early":
            peer.reset(stream, INTERNAL_ERROR)
        elif fields[":path"] == "/refused":
            peer.reset(stream, REFUSED)
        else:
            plain_answer(peer, stream, fields)
    with H2Origin(lab, serving(answer)):
        tail, c = Tail(gw), h2_client(lab)
        a = c.answer(c.request("/cut"))
        assert (a.status, a.body, a.ended, a.code) == (200, b"half", False, INTERNAL_ERROR)
        a = c.answer(c.request("/early"))
        assert a.status == 502 and a.ended and a.body
        a = c.answer(c.request("/refused"))
        assert (a.status, a.code) == (0, REFUSED)
        assert c.answer(c.request("/fine")).status == 200
        reasons = [(e["http"]["url"], e["perron"]["reason"]) for e in http_events(tail, c.port, 4)]
        assert reasons == [("/cut", "origin-closed"), ("/early", "origin-closed"), ("/refused", "origin-closed"), ("/fine", "done")]


def test_origin_says_goaway(lab, gw):
    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        peer.send(GOAWAY, 0, 0, struct.pack(">II", f.stream, 0))
        time.sleep(0.3)
        plain_answer(peer, f.stream, dict(f.fields))
        peer.rest()
    with H2Origin(lab, script):
        tail, c = Tail(gw), h2_client(lab)
        a = c.answer(c.request("/x"))
        assert (a.status, a.ended) == (200, True)
        assert c.goaway().code == 0
        assert tail.flow(c.port) == ("done", "origin-goaway")


def test_origin_that_has_lost_h2(lab, gw):
    """The connection ends with GOAWAY, and the next one is HTTP/1.1."""
    with H2Origin(lab, serving(plain_answer)) as o:
        c = h2_client(lab)
        assert c.answer(c.request("/x")).status == 200
        o.context.set_alpn_protocols(["http/1.1"])
        o.seen.clear()
    c2 = None
    with H2Origin(lab, lambda peer: peer.until(lambda f: f.kind == HEADERS) and peer.sock.close()) as o:
        c2 = h2_client(lab)
        s = c2.request("/y")
        a = c2.answer(s)
        assert a.status == 502 or a.code is not None
        assert c2.goaway() is not None
        o.context.set_alpn_protocols(["http/1.1"])
        a = lab.curl("agent", f"https://{NAME}/x", "--http2")
        assert (a.status, a.text) == (200, "old\n")
    c.close()


def test_origin_takes_few_streams(lab, gw):
    with H2Origin(lab, serving(plain_answer), settings={MAX_STREAMS: 3}):
        c = h2_client(lab)
        wait_for("the limit", lambda: c.peer_settings.get(MAX_STREAMS) == 3 or (c.next(0.2) and False))
        for i in range(10):
            assert c.answer(c.request(f"/{i}")).status == 200


# ---- decided again

def test_reload_breaks_off_one_stream_and_leaves_the_other(lab, own_gateway):
    def answer(peer, stream, fields):
        peer.headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
        peer.data(stream, b"data: 1\n\n")
    text = policy(lab)
    g = own_gateway(text)
    with H2Origin(lab, serving(answer)):
        tail, c = Tail(g), h2_client(lab)
        bad, good = c.request("/bad"), c.request("/good")
        for _ in range(2):
            assert c.until(lambda f: f.kind == DATA)
        said = g.ctl("--json", "show", "flow", str(shown_flow(g, c.port)["id"]))
        shown = [line["data"] for line in map(json.loads, said.splitlines()) if "streams" in (line.get("data") or {})][0]
        assert {(s["stream"], s["method"], s["host"]) for s in shown["streams"]} == {(bad, "GET", NAME), (good, "GET", NAME)}
        status, said = g.reload(policy(lab, web=f'  block  domain "{NAME}"  path "/bad"\n'))
        assert status == 0, said
        rst = c.until(lambda f: f.kind == RST, 5)
        assert rst and rst.stream == bad
        e = http_events(tail, c.port)[0]
        assert (e["http"]["url"], e["perron"]["reason"]) == ("/bad", "policy-changed")
        assert not c.of(good, RST)
        a = c.answer(c.request("/bad"))
        assert a.status == 403, a
        status, said = g.reload(policy(lab, web=f'  block  domain "{NAME}"\n'))
        assert status == 0, said
        assert c.until(lambda f: f.kind == RST and f.stream == good, 5)
        assert c.goaway() is not None
        assert tail.flow(c.port)[0] == "policy-changed"


def test_drain_says_goaway(lab, own_gateway):
    g = own_gateway()
    with H2Origin(lab, serving(plain_answer)):
        tail, c = Tail(g), h2_client(lab)
        assert c.answer(c.request("/x")).status == 200
        g.stop()
        assert c.goaway().code == 0
        assert tail.flow(c.port)[0] == "shutdown"
