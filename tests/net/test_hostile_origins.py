"""Origins that break HTTP or TLS: the client is told, nothing of a broken answer passes for a whole one."""
import re
import socket
import time

import pytest

from client import read_response
from hostile import (ADDRESS, ASK, OK, PROXY, SWITCH, Origin, Tail, break_off, client_hello, drop, port_of, read_all,
                     read_until, reset, tls_to)

pytestmark = pytest.mark.usefixtures("the_workers_live")


def test_final_answer_before_the_request_is_complete(lab, gw):
    """413 while the client still sends: the client gets it, and the connection ends with it."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbig\n")
        conn.settimeout(0.5)
        read_all(conn, 0.5)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(b"POST /x HTTP/1.1\r\nHost: closed.example\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10000)
        stream = tls.makefile("rb")
        status, headers, body = read_response(stream)
        assert (status, body, headers["connection"]) == (413, b"big\n", "close")
        tls.close()


def test_interim_answer_and_then_the_final_one(lab, gw):
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.sendall(OK.replace(b"hello", read_until(conn, b"hello")))
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(b"POST /x HTTP/1.1\r\nHost: closed.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert read_until(tls, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        tls.sendall(b"hello")
        assert b"200 OK" in read_until(tls, b"hello")
        tls.close()


@pytest.mark.parametrize("tls_way", [True, False])
def test_origin_that_closes_when_the_next_request_is_sent(lab, gw, tls_way):
    """The client is not told a lie: its connection ends without an answer, as the origin's did, and it may ask again."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(OK)
        origin.head(conn)
    with Origin(lab, handler, tls=tls_way, port=443 if tls_way else 80) as origin:
        sock = tls_to(lab) if tls_way else lab.connect("agent", ADDRESS, 80)
        sock.sendall(ASK)
        read_until(sock, b"hello")
        sock.sendall(ASK)
        assert read_all(sock, 5) == (b"", "closed")
        assert len(origin.seen) == 2
        sock.close()


def test_fresh_connection_without_an_answer_is_told(lab, gw):
    """Through the proxy: the second request goes to another origin, which closes at once. That is a 502, no quiet end."""
    with Origin(lab, lambda conn: origin.head(conn), tls=False, port=80) as origin:
        sock = lab.connect("agent", *PROXY)
        stream = sock.makefile("rb")
        sock.sendall(b"GET http://plain.example/hello HTTP/1.1\r\nHost: plain.example\r\n\r\n")
        assert read_response(stream)[0] == 200
        sock.sendall(b"GET http://closed.example/hello HTTP/1.1\r\nHost: closed.example\r\n\r\n")
        assert read_response(stream)[0] == 502
        sock.close()


BROKEN_ANSWERS = [
    ("switch unasked", SWITCH + b"evil", "origin-http"),
    ("flood of interim answers", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200000, "origin-http"),
    ("endless head", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100000, "origin-http"),
    ("endless line", b"HTTP/1.1 200 " + b"x" * 300000, "origin-http"),
    ("not HTTP", b"SSH-2.0-OpenSSH\r\n", "origin-http"),
    ("nothing", b"", "origin-closed"),
    ("half a head", b"HTTP/1.1 200 OK\r\nContent-Le", "origin-closed")]


@pytest.mark.parametrize("answer,reason", [row[1:] for row in BROKEN_ANSWERS], ids=[row[0] for row in BROKEN_ANSWERS])
def test_origin_that_breaks_http(lab, gw, answer, reason):
    def handler(conn):
        origin.head(conn)
        conn.sendall(answer)
    tail = Tail(gw)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        got, _ = read_all(tls, 8)
        final = re.findall(rb"HTTP/1\.1 (\d{3})", got)
        assert final[-1] == b"502" and set(final[:-1]) <= {b"103"} and len(final) <= 17, got[:300]
        assert b"evil" not in got
        tls.close()
    assert tail.flow(port)[0] == reason
    assert tail.of(port, "http")[0]["perron"]["reason"] == reason


def test_bytes_behind_the_answer_reach_nobody(lab, gw):
    def handler(conn):
        origin.head(conn)
        conn.sendall(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        read_all(conn, 3)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(ASK * 2)
        got, _ = read_all(tls, 5)
        assert got.startswith(b"HTTP/1.1 200 OK") and b"evil" not in got, got
        tls.close()


def test_bytes_some_time_behind_the_answer_reach_nobody(lab, gw):
    def handler(conn):
        origin.head(conn)
        conn.sendall(OK)
        time.sleep(0.3)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        read_all(conn, 3)
    tail = Tail(gw)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        read_until(tls, b"hello")
        time.sleep(0.6)
        try:
            tls.sendall(ASK)
        except OSError:
            pass
        assert b"evil" not in read_all(tls, 5)[0]
        tls.close()
    assert tail.flow(port)[0] == "origin-http"


@pytest.mark.parametrize("clean", [True, False])
def test_end_of_a_body_that_only_the_end_of_the_connection_tells(lab, gw, clean):
    """Cut by an attacker it looks the same on TCP; only close_notify tells, and the client must be able to tell too."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\nas far as it goes")
        if clean:
            conn.unwrap()
        else:
            drop(conn)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(ASK)
        got, end = read_all(tls, 5)
        assert got.endswith(b"\r\n\r\nas far as it goes")
        assert end == ("closed" if clean else "cut"), end
        tls.close()


def test_answer_that_is_cut_is_no_whole_one(lab, gw):
    """RST in the middle of chunks: the client sees a broken connection and no last chunk."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        time.sleep(0.2)
        break_off(conn)
    tail = Tail(gw)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        got, end = read_all(tls, 5)
        assert b"0\r\n\r\n" not in got and end in ("reset", "cut"), (got, end)
        tls.close()
    assert tail.flow(port) == ("origin-closed", "cut")


BROKEN_HANDSHAKES = [
    ("reset", None), ("closed", b""), ("garbage", b"HTTP/1.1 200 OK\r\n\r\nhello"), ("zeros", b"\0" * 5000),
    ("alert", b"\x15\3\3\0\2\2\x28"), ("warnings", b"\x15\3\3\0\2\1\x70" * 1000), ("empty records", b"\x16\3\3\0\0" * 5000),
    ("half a hello", b"\x16\3\3\0\x7a\2\0\0\x76\3\3xx"), ("client hello", client_hello("closed.example")),
    ("long message", b"\x16\3\3\x40\0" + b"\x02\xff\xff\xff" + b"x" * 16380 + (b"\x16\3\3\x40\0" + b"y" * 16384) * 20)]


@pytest.mark.parametrize("bad", [row[1] for row in BROKEN_HANDSHAKES], ids=[row[0] for row in BROKEN_HANDSHAKES])
def test_origin_that_breaks_the_handshake(lab, gw, bad):
    """The client is told by a page, over a handshake of our own; the flow's line says why."""
    def handler(conn):
        conn.recv(1000)
        if bad is None:
            reset(conn)
        elif bad:
            conn.sendall(bad)
            conn.shutdown(socket.SHUT_WR)
            read_all(conn, 1)
    tail = Tail(gw)
    with Origin(lab, handler, tls=False):
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        got, _ = read_all(tls, 5)
        assert got.startswith(b"HTTP/1.1 502 "), got[:200]
        tls.close()
    reason, detail = tail.flow(port)
    assert reason == "upstream-tls" and detail, (reason, detail)
