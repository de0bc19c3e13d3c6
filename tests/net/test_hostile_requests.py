"""Requests and tunnels in odd orders: pipelined, nested, half closed, ended from either side."""
import socket
import ssl
import threading
import time

import pytest

from client import read_response
from hostile import (ADDRESS, GET, PROXY, SWITCH, WS, Origin, Tail, break_off, drop, port_of, read_all,
                     read_until, tls_to)
from sites import SITES
from space import wait_for

pytestmark = pytest.mark.usefixtures("the_workers_live")


# ---- requests

def test_a_thousand_pipelined_requests(lab, gw):
    with tls_to(lab, "cdn.example") as tls:
        done = threading.Thread(target=tls.sendall, args=(GET * 1000,))
        done.start()
        stream = tls.makefile("rb")
        assert [read_response(stream)[0] for _ in range(1000)] == [200] * 1000
        done.join()


def test_pipelined_requests_and_half_close_of_a_plain_client(lab, gw):
    """Everything asked before the FIN is answered."""
    sock = lab.connect("agent", SITES["cdn.example"].v4, 80)
    sock.sendall(GET * 100)
    sock.shutdown(socket.SHUT_WR)
    got, end = read_all(sock)
    assert got.count(b"HTTP/1.1 200 OK") == 100 and end == "closed", (got.count(b"HTTP/1.1 200 OK"), end)


@pytest.mark.parametrize("way", ["tls", "plain", "connect"])
def test_connect_inside_a_connection_makes_no_tunnel(lab, gw, way):
    def handler(conn):
        if origin.head(conn):
            conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0-evil\r\n")
            conn.recv(100)
    with Origin(lab, handler, tls=way != "plain", port=80 if way == "plain" else 443) as origin:
        if way == "plain":
            sock = lab.connect("agent", ADDRESS, 80)
        elif way == "tls":
            sock = tls_to(lab)
        else:
            sock = lab.connect("agent", *PROXY)
            sock.sendall(b"CONNECT closed.example:443 HTTP/1.1\r\nHost: closed.example:443\r\n\r\n")
            read_until(sock, b"\r\n\r\n")
            sock = tls_to(lab, sock=sock)
        sock.sendall(b"CONNECT closed.example:22 HTTP/1.1\r\nHost: closed.example:22\r\n\r\nSSH-2.0-x\r\n")
        got, _ = read_all(sock, 5)
        assert got.split(b" ")[1] in (b"400", b"403", b"405", b"501"), got
        assert b"SSH" not in got.split(b"\r\n\r\n")[0] and b"evil" not in got
        assert origin.seen == []


def test_hello_in_the_same_segment_as_the_connect(lab, gw):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    tls = context.wrap_bio(incoming, outgoing, server_hostname="cdn.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    sock = lab.connect("agent", *PROXY)
    sock.sendall(b"CONNECT cdn.example:443 HTTP/1.1\r\nHost: cdn.example:443\r\n\r\n" + outgoing.read())
    got = read_until(sock, b"\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 ")
    incoming.write(got[got.index(b"\r\n\r\n") + 4:])
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            data = sock.recv(65536)
            assert data
            incoming.write(data)
    tls.write(GET)
    sock.sendall(outgoing.read())
    incoming.write(sock.recv(65536))
    assert tls.read(12) == b"HTTP/1.1 200"
    sock.close()


def test_proxy_connection_kept_over_different_hosts(lab, gw):
    """Each request is judged by its own host and goes to its own origin."""
    before = len(lab.requests())
    sock = lab.connect("agent", *PROXY)
    stream = sock.makefile("rb")
    hosts = ["plain.example", "cdn.example", "plain.example", "video.example", "files.example", "cdn.example"]
    for host in hosts:
        sock.sendall(f"GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status, _, body = read_response(stream)
        assert (status, body) == (200, f"hello from {host}\n".encode())
    sock.sendall(b"GET http://casino.example/hello HTTP/1.1\r\nHost: casino.example\r\n\r\n")
    assert read_response(stream)[0] == 403
    sock.close()
    wait_for("nginx's line of the last request", lambda: len(lab.requests()) >= before + len(hosts), 3)
    assert [(r["server"], r["host"]) for r in lab.requests()[before:]] == [(h, h) for h in hosts]


def test_pipelined_proxy_requests_to_different_hosts(lab, gw):
    hosts = ["plain.example", "cdn.example", "video.example"] * 5
    sock = lab.connect("agent", *PROXY)
    sock.sendall(b"".join(f"GET http://{h}/hello HTTP/1.1\r\nHost: {h}\r\n\r\n".encode() for h in hosts))
    stream = sock.makefile("rb")
    assert [read_response(stream)[2] for _ in hosts] == [f"hello from {h}\n".encode() for h in hosts]
    sock.close()


# ---- tunnels

def ws_origin(lab, then, tls=True):
    def handler(conn):
        if o.head(conn):
            then(conn)
    o = Origin(lab, handler, tls=tls, port=443 if tls else 80)
    return o


def switched(got):
    """What follows the 101 that the gateway writes."""
    head, _, rest = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), got
    return rest


def test_websocket_data_right_behind_the_switch(lab, gw):
    """In the same segment, and the client's first frame right behind its request."""
    def then(conn):
        conn.sendall(SWITCH + b"\x82\x05first")
        conn.sendall(read_until(conn, b"early") + b"|")
        conn.recv(1)
    with ws_origin(lab, then) as origin:
        tls = tls_to(lab)
        tls.sendall(WS + b"\x82\x85\0\0\0\0early")
        assert switched(read_until(tls, b"|")) == b"\x82\x05first" + b"\x82\x85\0\0\0\0early|"
        tls.close()
        assert len(origin.seen) == 1


ENDS = {"origin": ssl.SSLSocket.unwrap, "origin-cut": drop, "origin-reset": break_off,
        "client": ssl.SSLSocket.close, "client-cut": drop, "client-reset": break_off}


@pytest.mark.parametrize("side", ENDS)
def test_websocket_closed_from_either_side(lab, gw, side):
    """An end in order is passed on as one, a broken connection as a broken one; what was said before arrives."""
    ends = []

    def then(conn):
        conn.sendall(SWITCH)
        if side.startswith("client"):
            ends.append(read_all(conn, 5))
            return
        read_until(conn, b"go")
        conn.sendall(b"last words")
        time.sleep(0.2)
        try:
            ENDS[side](conn)
        except OSError:
            pass
    tail = Tail(gw)
    with ws_origin(lab, then):
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(WS)
        assert switched(read_until(tls, b"\r\n\r\n")) == b""
        if side.startswith("client"):
            tls.sendall(b"last words")
            time.sleep(0.2)
            if side == "client":
                tls.settimeout(0.2)
                with pytest.raises(OSError):
                    tls.unwrap()    # sends close_notify; the origin's comes only when it has read ours
            ENDS[side](tls)
            wait_for("the origin to see the end", lambda: ends, 5)
        else:
            tls.sendall(b"go")
            ends.append(read_all(tls, 5))
            tls.close()
        reason, _ = tail.flow(port)
    words, end = ends[0]
    assert words == b"last words"
    assert end == "closed" if side in ("client", "origin") else end in ("cut", "reset"), end
    assert reason in ("done", "client-closed")
