"""Clients that break TLS where no state expects it: refused, told in one line with one reason, and the worker lives."""
import socket
import subprocess
import threading
import time

import pytest

from hostile import (ADDRESS, ASK, GET, NAME, OK, Origin, Raw13, Tail, client_hello, drop, port_of, read_all,
                     read_until, served, shown_flow, tls_to)
from sites import SITES
from space import wait_for

pytestmark = pytest.mark.usefixtures("the_workers_live")


@pytest.fixture
def raw(lab, tmp_path):
    made = []

    def make(name="cdn.example"):
        made.append(Raw13(lab, name, tmp_path))
        return made[-1]
    yield make
    for r in made:
        r.sock.close()


def test_a_record_too_long_is_refused(gw, raw):
    """RFC 8446 section 5.2: at most 2^14 bytes inside."""
    tail, r = Tail(gw), raw()
    r.send(r.record(23, b"GET / HTTP/1.1\r\n" + b"x" * (16385 - 16)))
    assert read_all(r.sock)[1] != "silent"
    reason, detail = tail.flow(r.port)
    assert reason == "client-tls" and "length" in detail, (reason, detail)


def test_a_whole_record_of_the_longest_kind_is_read(gw, raw):
    r = raw()
    head = b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\nX: "
    r.send(r.record(23, head + b"y" * (16384 - len(head) - 4) + b"\r\n\r\n"))
    assert r.sock.recv(65536)
    assert shown_flow(gw, r.port)["exchanges"] == 1


@pytest.mark.parametrize("flood", ["empty", "alerts", "unknown-alerts", "key-updates", "key-updates-asking"])
def test_a_flood_of_records_that_say_nothing(lab, gw, raw, flood):
    """It ends by itself or costs little: others are served all the while."""
    r = raw()
    n = 60000 if flood.startswith("key") else 6000
    if flood.startswith("key"):
        data = [r.key_update(flood.endswith("asking")) for _ in range(n)]
    else:
        what = {"empty": (23, b""), "alerts": (21, b"\1\x5a"), "unknown-alerts": (21, b"\1\x63")}[flood]
        data = [r.record(*what) for _ in range(n)]
    blob = b"".join(data)
    stop = threading.Event()
    slowest = []

    def others():
        while not stop.is_set():
            begun = time.monotonic()
            assert served(lab)
            slowest.append(time.monotonic() - begun)
    watcher = threading.Thread(target=others)
    watcher.start()
    for at in range(0, len(blob), 65536):
        if not r.send(blob[at:at + 65536]):
            break
    time.sleep(0.3)
    stop.set()
    watcher.join()
    assert slowest and max(slowest) < 4, slowest
    if flood.startswith("key") and r.send(r.record(23, GET)):
        r.sock.settimeout(5)
        assert r.sock.recv(65536)      # it is allowed, so the request behind it is answered or the flow was ended
    else:
        assert read_all(r.sock)[1] != "silent"


GARBAGE = [
    ("plain text", b"GET / HTTP/1.1\r\nHost: cdn.example\r\n\r\n"), ("zeros", b"\0" * 200),
    ("forged record", b"\x17\3\3\0\x30" + b"x" * 48),
    ("a second hello in clear", None), ("long header", b"\x17\3\3\xff\xff" + b"x" * 70000)]


@pytest.mark.parametrize("bad", [row[1] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
def test_garbage_behind_the_handshake(gw, raw, bad):
    tail, r = Tail(gw), raw()
    r.send(bad if bad is not None else client_hello("cdn.example"))
    assert read_all(r.sock)[1] != "silent"
    reason, detail = tail.flow(r.port)
    assert reason == "client-tls" and detail, (reason, detail)


LATE = {"hello": b"\1\0\0\x26\3\3" + b"x" * 36, "ticket": b"\x04\0\0\4xxxx", "Finished": b"\x14\0\0\x20" + b"x" * 32,
        "key update that asks 7": b"\x18\0\0\1\x07",
        "CertificateVerify": b"\x0f\0\0\4xxxx", "long key update": b"\x18\0\xff\xff" + b"x" * 9000}


@pytest.mark.parametrize("message", LATE)
def test_handshake_messages_that_come_too_late(gw, raw, message):
    """Encrypted, in order, and not wanted."""
    tail, r = Tail(gw), raw()
    r.send(r.record(22, LATE[message]))
    assert read_all(r.sock, 5)[1] != "silent"
    assert tail.flow(r.port)[0] == "client-tls"


def test_renegotiation_is_refused(lab, gw):
    """TLS 1.2: the client asks anew; the answer is a warning, not a second handshake."""
    cmd = lab.clients_space.enter("openssl", "s_client", "-tls1_2", "-connect", f"{SITES['cdn.example'].v4}:443", "-servername",
                                  "cdn.example", "-bind", "10.32.2.10", "-state")
    before = gw.show("counters")[0]["client_tls"]
    with subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        wait_for("the handshake", lambda: gw.show("counters")[0]["client_tls"] > before, 5)
        time.sleep(0.2)
        p.stdin.write(b"R\n")
        p.stdin.flush()
        try:
            out, _ = p.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            p.kill()
            out, _ = p.communicate()
    assert b"RENEGOTIATING" in out
    assert b"no renegotiation" in out or b"no_renegotiation" in out, out[-1500:]
    assert gw.show("counters")[0]["client_tls"] == before + 1


def test_early_data_is_not_accepted(lab, gw, tmp_path):
    """0-RTT can be replayed: a request in it must reach nobody. The session comes from another server of that name."""
    key, cert = lab.pki.folder / f"{NAME}.key", lab.pki.folder / f"{NAME}.pem"
    server = lab.internet.start("openssl", "s_server", "-accept", f"{ADDRESS}:4433", "-key", key, "-cert", cert, "-early_data",
                                "-no_anti_replay", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def session():
            subprocess.run(lab.internet.enter("sh", "-c", f"(echo hello; sleep 0.5) | openssl s_client -connect {ADDRESS}:4433 "
                                              f"-servername {NAME} -sess_out {tmp_path}/session"), check=False, timeout=5,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return (tmp_path / "session").exists()
        wait_for("a session", session, 10)
    finally:
        server.terminate()
        server.communicate()
    (tmp_path / "early").write_bytes(b"GET /early HTTP/1.1\r\nHost: closed.example\r\n\r\n")
    with Origin(lab, lambda conn: origin.head(conn) and conn.sendall(OK)) as origin:
        out = subprocess.run(lab.clients_space.enter(
            "sh", "-c", f"(sleep 1; printf 'GET /late HTTP/1.1\\r\\nHost: {NAME}\\r\\nConnection: close\\r\\n\\r\\n'; sleep 1) | "
            f"openssl s_client -connect {ADDRESS}:443 -servername {NAME} -sess_in {tmp_path}/session -early_data {tmp_path}/early "
            "-bind 10.32.2.10"), check=False, timeout=10, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        assert b"Early data was rejected" in out.stdout, out.stdout[-2000:]
        assert [head.split(b" ")[1] for head in origin.seen] in ([b"/late"], []), origin.seen


def test_client_that_closes_without_close_notify(lab, gw):
    tail = Tail(gw)
    tls = tls_to(lab, "cdn.example")
    port = port_of(tls)
    tls.sendall(GET)
    read_until(tls, b"hello from")
    drop(tls)
    assert tail.flow(port)[0] in ("done", "client-closed")


@pytest.mark.parametrize("way", ["tls", "plain"])
def test_half_close_behind_the_request_is_answered(lab, gw, way):
    """The client has asked all it wanted (FIN, over TLS without close_notify); the answer comes half a second later."""
    def slow(conn):
        if origin.head(conn):
            time.sleep(0.5)
            conn.sendall(OK)
            conn.recv(1)
    with Origin(lab, slow, tls=way == "tls", port=443 if way == "tls" else 80) as origin:
        sock = lab.connect("agent", ADDRESS, 443 if way == "tls" else 80)
        raw_sock = sock.dup()
        if way == "tls":
            sock = tls_to(lab, sock=sock)
        sock.sendall(ASK)
        raw_sock.shutdown(socket.SHUT_WR)
        got, end = read_all(sock)
        assert got == OK and end == "closed", (got, end)
        raw_sock.close()
