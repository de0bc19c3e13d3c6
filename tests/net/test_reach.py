"""The gateway itself is no destination, and what a slow client is still owed reaches it."""
import socket
import time

import pytest

from client import read_response
from gateway import policy
from sites import SITES
from space import end, wait_for

OWN = """
import http.server, socketserver, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"the gateway's own page"); print("asked", flush=True)
socketserver.TCPServer.allow_reuse_address = True
with socketserver.TCPServer(("", int(sys.argv[1])), H) as s:
    print("up", flush=True)
    s.serve_forever()
"""


@pytest.fixture
def own_page(lab, tmp_path):
    """A page that the gateway's machine serves on ports 80 and 8000 of all its addresses; gives who asked."""
    logs, procs = [], []
    for port in (80, 8000):
        log = tmp_path / f"own-{port}.out"
        with open(log, "wb") as out:
            procs.append(lab.gateway_space.start("/usr/bin/python3", "-c", OWN, port, stdout=out, stderr=out))
        wait_for("the gateway's own page", lambda p=log: b"up" in p.read_bytes())
        logs.append(log)
    yield lambda: sum(log.read_text().count("asked") for log in logs)
    for proc in procs:
        end(proc, 5)


def ask(lab, who, host, port, data):
    """Status of the answer to these bytes; 0 when the connection just ends."""
    sock = lab.connect(who, host, port)
    sock.sendall(data)
    try:
        return read_response(sock.makefile("rb"))[0]
    except (EOFError, OSError, ValueError, IndexError):
        return 0
    finally:
        sock.close()


@pytest.mark.parametrize("own", ["192.0.2.1", "10.32.0.1", "10.112.0.1", "[2001:db8:2::1]", "[fd10:112::1]",
                                 "0xc0000201", "3221225985", "[::ffff:192.0.2.1]"])
def test_no_address_of_the_gateway_is_reached_by_the_proxy(lab, gw, own_page, own):
    absolute = f"GET http://{own}:8000/ HTTP/1.1\r\nHost: {own}:8000\r\n\r\n".encode()
    assert ask(lab, "agent", "10.32.0.1", 3128, absolute) in (400, 403)
    sock = lab.connect("agent", "10.32.0.1", 3128)
    sock.sendall(f"CONNECT {own}:8000 HTTP/1.1\r\nHost: {own}:8000\r\n\r\n".encode())
    f = sock.makefile("rb")
    if b" 200 " in f.readline():
        f.readline()
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {own}\r\n\r\n".encode())
        assert read_response(f)[0] in (400, 403)
    sock.close()
    assert own_page() == 0


@pytest.mark.parametrize("own", ["192.0.2.1", "10.32.0.1", "10.112.0.1", "[2001:db8:2::1]"])
def test_no_address_of_the_gateway_is_reached_by_host(lab, gw, own_page, own):
    site = SITES["www.school.example"]
    status = ask(lab, "agent", site.v4, 80, f"GET / HTTP/1.1\r\nHost: {own}\r\n\r\n".encode())
    assert status in (400, 403) and own_page() == 0


@pytest.mark.parametrize("way", ["transparent", "inside CONNECT", "inside TLS"])
def test_connect_is_for_the_proxy_alone(lab, gw, way):
    """An origin that answered it with 200 would have a tunnel."""
    before, site = len(lab.script_bytes()), SITES["script.example"]
    sock = lab.connect("agent", *{"transparent": (site.v4, 80), "inside TLS": (site.v4, 443)}.get(way, ("10.32.0.1", 3128)))
    if way == "inside CONNECT":
        sock.sendall(b"CONNECT script.example:80 HTTP/1.1\r\nHost: script.example:80\r\n\r\n")
        f = sock.makefile("rb")
        assert b" 200 " in f.readline() and f.readline() == b"\r\n"
    if way == "inside TLS":
        sock = lab.tls("agent", sock, "script.example")
    sock.sendall(b"CONNECT video.example:443 HTTP/1.1\r\nHost: video.example:443\r\n\r\n")
    assert read_response(sock.makefile("rb"))[0] == 400
    sock.close()
    assert b"CONNECT" not in b"".join(lab.script_bytes()[before:])


def test_the_page_is_there_for_who_may(lab, gw, own_page):
    assert ask(lab, "agent", "10.32.0.1", 8000, b"GET / HTTP/1.0\r\n\r\n") == 200 and own_page() == 1


def test_another_hosts_address_is_no_fact_of_the_next_request(lab, own_gateway):
    gw = own_gateway(policy(lab, web="  block any to 198.51.100.20, 2001:db8:a::20\n"))
    before = len(lab.requests("video.example"))
    sock = lab.connect("agent", "10.32.0.1", 3128)
    f = sock.makefile("rb")
    for host, status in ((b"www.school.example", 200), (b"plain.example", 200), (b"video.example", 403)):
        sock.sendall(b"GET http://%s/hello HTTP/1.1\r\nHost: %s\r\n\r\n" % (host, host))
        assert read_response(f)[0] == status, gw.said()
    sock.close()
    assert len(lab.requests("video.example")) == before


def all_of(sock):
    """Bytes until the end; None when the connection was broken off."""
    got = b""
    try:
        while data := sock.recv(65536):
            got += data
    except OSError:
        return None
    finally:
        sock.close()
    return got


def test_a_slow_client_gets_the_whole_of_its_last_answer(lab, gw):
    """Of all these sizes some leave a rest that no buffer of the kernel takes before the client begins to read."""
    body = b"x" * 900_000
    socks = []
    for n in range(700_000, len(body), 2_000):
        lab.script_answer(f"last-{n}", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n + body[:n])
        sock = lab.connect("agent", SITES["script.example"].v4, 80)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(b"GET /raw/last-%d HTTP/1.1\r\nHost: script.example\r\nConnection: close\r\n\r\n" % n)
        socks.append((n, sock))
    time.sleep(4)
    for n, sock in socks:
        head, _, rest = (all_of(sock) or b"").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and len(rest) == n


def test_a_connection_that_asked_many_hosts_still_has_its_names_judged(lab, gw):
    """What a flow keeps of each host must not fill its memory: a name that is lost is a name that is not judged."""
    hosts = [b"www.school.example", b"plain.example"]
    sock = lab.connect("pupil", "10.32.0.1", 3128)
    f = sock.makefile("rb")
    for i in range(11_500):
        sock.sendall(b"GET http://%s/hello HTTP/1.1\r\nHost: %s\r\n\r\n" % (hosts[i % 2], hosts[i % 2]))
        assert read_response(f)[0] == 200
    sock.sendall(b"CONNECT video.example:443 HTTP/1.1\r\nHost: video.example:443\r\n\r\n")
    assert b" 200 " in f.readline() and f.readline() == b"\r\n"
    tls = lab.tls("pupil", sock, "video.example")
    tls.sendall(b"GET / HTTP/1.1\r\nHost: video.example\r\n\r\n")
    assert read_response(tls.makefile("rb"))[0] == 403
    tls.close()
