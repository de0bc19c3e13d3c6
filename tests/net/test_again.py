"""A flow lives as long as its verdict: after a reload, and when the time of a rule is over, what runs is decided again;
what may go on is not touched, what may not is ended with its reason in the log."""
import datetime
import ssl
import threading
import time
from pathlib import Path

from client import read_response
from gateway import policy
from sites import SITES
from space import wait_for

UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: script.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def open_tls(lab, who, host, sni=None):
    return lab.tls(who, lab.connect(who, SITES[host].v4, 443), sni or host)


def ask(tls, host, path="/hello"):
    stream = tls.makefile("rb")
    tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return read_response(stream)


def ended(sock, patience_s=5):
    """Has the other side ended this connection?"""
    sock.settimeout(patience_s)
    try:
        while True:
            if sock.recv(65536) == b"":
                return True
    except TimeoutError:
        return False
    except (ssl.SSLError, ConnectionError):
        return True


def reload_ok(gw, text):
    status, said = gw.reload(text)
    assert status == 0, said


def test_spliced_flow_ends_when_a_reload_blocks_its_name(lab, own_gateway):
    gw = own_gateway()
    with open_tls(lab, "pupil", "www.bank.example") as bank, open_tls(lab, "guest", "cdn.example") as cdn:
        assert ask(bank, "www.bank.example")[0] == 200 and ask(cdn, "cdn.example")[0] == 200
        reload_ok(gw, policy(lab, web="  block domain \"elsewhere.example\""))
        assert not ended(bank, 1)
        assert ask(bank, "www.bank.example")[0] == 200, "a reload that changes nothing for it leaves it alone"
        reload_ok(gw, policy(lab, web="  block domain \"www.bank.example\""))
        assert ended(bank)
        assert ask(cdn, "cdn.example")[0] == 200
    e = gw.event(event_type="flow", tls__sni="www.bank.example", perron__reason="policy-changed")
    assert e["perron"]["action"] == "block" and "www.bank.example" in e["perron"]["rule"]


def test_exempt_flow_that_is_to_be_inspected_now_ends(lab, own_gateway):
    gw = own_gateway()
    with open_tls(lab, "agent", "www.bank.example") as bank:
        assert ask(bank, "www.bank.example")[0] == 200
        reload_ok(gw, policy(lab).replace("exempt   category banking", "exempt   domain \"other.example\""))
        assert ended(bank)
    e = gw.event(event_type="flow", tls__sni="www.bank.example", perron__reason="policy-changed")
    assert e["perron"]["detail"] == "to-be-inspected" and e["perron"]["mode"] == "exempt"
    a = lab.curl("agent", "https://www.bank.example/hello")
    assert a.status == 200 and "Province" in a.chain


def test_inspected_flow_that_is_exempt_now_ends_between_exchanges(lab, own_gateway):
    gw = own_gateway()
    exempt = policy(lab).replace("exempt   category banking", "exempt   domain \"script.example\"")
    with open_tls(lab, "agent", "script.example") as quiet, open_tls(lab, "agent", "script.example") as busy:
        assert ask(quiet, "script.example", "/echo")[0] == 200
        stream = busy.makefile("rb")
        busy.sendall(b"GET /drip?20 HTTP/1.1\r\nHost: script.example\r\n\r\n")
        assert busy.recv(1) == b"H"
        reload_ok(gw, exempt)
        assert ended(quiet)
        assert stream.read().endswith(b"x" * 20), "what was under way is finished, and then the connection ends"
    a = lab.curl("agent", "https://script.example/echo")
    assert a.status == 200 and "Province" not in a.chain


def test_running_download_of_a_site_that_is_blocked_now_is_broken_off(lab, own_gateway):
    gw = own_gateway()
    with open_tls(lab, "agent", "files.example") as tls:
        tls.sendall(b"GET /slow/big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n")
        assert tls.recv(12).startswith(b"HTTP/1.1 200")
        reload_ok(gw, policy(lab, web="  block domain \"files.example\""))
        assert ended(tls)
    e = gw.event(event_type="http", http__hostname="files.example", perron__reason="policy-changed")
    assert e["perron"]["action"] == "block" and "files.example" in e["perron"]["rule"]
    gw.event(event_type="flow", tls__sni="files.example", perron__reason="policy-changed")


def test_download_of_a_path_that_is_blocked_now_leaves_the_others(lab, own_gateway):
    """The rule names a method, so that only the exchange is touched: the connection's own verdict stays."""
    gw = own_gateway()
    with open_tls(lab, "agent", "files.example") as tls, open_tls(lab, "agent", "cdn.example") as other:
        tls.sendall(b"GET /slow/big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n")
        assert tls.recv(12).startswith(b"HTTP/1.1 200")
        assert ask(other, "cdn.example")[0] == 200
        reload_ok(gw, policy(lab, web="  block domain \"files.example\" method GET"))
        assert ended(tls)
        assert ask(other, "cdn.example")[0] == 200
    gw.event(event_type="http", http__hostname="files.example", perron__reason="policy-changed")


def test_plain_download_and_waiting_request(lab, own_gateway):
    gw = own_gateway()
    running, waiting = (lab.connect("agent", SITES["script.example"].v4, 80) for _ in range(2))
    with running, waiting:
        running.sendall(b"GET /drip?200 HTTP/1.1\r\nHost: script.example\r\n\r\n")
        assert running.recv(12).startswith(b"HTTP/1.1 200")
        waiting.sendall(b"GET /stall HTTP/1.1\r\nHost: script.example\r\nAccept: text/html\r\n\r\n")
        wait_for("two exchanges", lambda: sum(f.get("exchanges", 0) for line in gw.show("flows") for f in line["data"]) == 2)
        reload_ok(gw, policy(lab, web="  block domain \"script.example\""))
        assert ended(running)
        status, headers, body = read_response(waiting.makefile("rb"))
        assert status == 403 and headers["perron-code"].encode() in body, "no answer had begun: it gets the page"


def test_tunnel_of_a_site_that_is_blocked_now_ends(lab, own_gateway):
    gw = own_gateway()
    with open_tls(lab, "agent", "script.example") as tls:
        tls.sendall(UPGRADE)
        assert tls.recv(12).startswith(b"HTTP/1.1 101")
        reload_ok(gw, policy(lab, web="  block domain \"elsewhere.example\""))
        assert not ended(tls, 1)
        reload_ok(gw, policy(lab, web="  block domain \"script.example\""))
        assert ended(tls)
    gw.event(event_type="flow", tls__sni="script.example", perron__reason="policy-changed")


def test_client_whose_zone_is_gone(lab, own_gateway):
    gw = own_gateway()
    with open_tls(lab, "guest", "cdn.example") as cdn:
        assert ask(cdn, "cdn.example")[0] == 200
        text = policy(lab).replace("network 10.112.0.0/16, fd10:112::/64", "network 10.113.0.0/16, fd10:113::/64")
        reload_ok(gw, text)
        assert ended(cdn)


def test_show_flow_tells_what_was_decided(lab, own_gateway):
    gw = own_gateway()
    with open_tls(lab, "pupil", "www.bank.example") as bank:
        assert ask(bank, "www.bank.example")[0] == 200
        flow = next(f for line in gw.show("flows") for f in line["data"] if f["mode"] == "exempt")
        shown = next(line["data"] for line in gw.show("flow", str(flow["id"])) if line["data"])
        assert shown["verdict"]["action"] == "exempt" and "category banking" in shown["verdict"]["rule"]
        assert shown["verdict"]["why"] == "rule" and "valid_until" not in shown["verdict"]


# ---- time

def at(seconds=None, **away):
    """A moment near now (UTC): on that second of its minute, or so far away from it."""
    t = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(**away)
    return t if seconds is None else t.replace(second=seconds)


def slot(name, begin, end):
    return f'schedule {name}  mon-sun {begin:%H:%M}-{end:%H:%M}  zone "UTC"\n'


def clock(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def lesson_soon(lab, *rules):
    """(clock, policy, first second of the lesson): the lesson begins ten seconds after the gateway's start."""
    now = at(seconds=50)
    begin = now + datetime.timedelta(seconds=10)
    text = policy(lab, web="\n".join(rules), settings=slot("lesson", begin, begin + datetime.timedelta(hours=1)))
    return clock(now), text, int(begin.timestamp())


def test_what_runs_ends_when_class_hours_begin(lab, own_gateway):
    """Download, tunnel, spliced flow and quiet connection of sites that are blocked in class; others go on."""
    when, text, begins = lesson_soon(lab, *(f'  block domain "{d}" during lesson' for d in
                                            ("files.example", "www.bank.example", "script.example", "social.example")))
    gw = own_gateway(text, clock=when)
    with open_tls(lab, "agent", "files.example") as download, open_tls(lab, "agent", "www.bank.example") as bank, \
            open_tls(lab, "agent", "script.example") as tunnel, open_tls(lab, "agent", "social.example") as quiet, \
            open_tls(lab, "agent", "cdn.example") as other, open_tls(lab, "guest", "cdn.example") as guest:
        download.sendall(b"GET /slow/big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n")
        tunnel.sendall(UPGRADE)
        assert download.recv(12).startswith(b"HTTP/1.1 200") and tunnel.recv(12).startswith(b"HTTP/1.1 101")
        assert ask(bank, "www.bank.example")[0] == ask(quiet, "social.example")[0] == 200
        assert ask(other, "cdn.example")[0] == ask(guest, "cdn.example")[0] == 200
        shown = [next(line["data"] for line in gw.show("flow", str(f["id"])) if line["data"])
                 for line in gw.show("flows") for f in line["data"] if f.get("name") == "www.bank.example"]
        assert shown[0]["verdict"]["valid_until"] == begins
        for sock in (download, bank, tunnel):
            assert ended(sock, 15)
        assert ask(other, "cdn.example")[0] == ask(guest, "cdn.example")[0] == 200
        assert ask(quiet, "social.example")[0] == 403
    for name in ("files.example", "www.bank.example", "script.example"):
        e = gw.event(event_type="flow", tls__sni=name, perron__reason="time-is-up")
        late = datetime.datetime.strptime(e["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() - begins
        assert 0 <= late < 1.5 and "during lesson" in e["perron"]["rule"], (name, late, e)


def test_exchange_ends_with_the_time_of_its_own_rule(lab, own_gateway):
    when, text, _ = lesson_soon(lab, '  block domain "files.example" method GET during lesson')
    gw = own_gateway(text, clock=when)
    with open_tls(lab, "agent", "files.example") as tls:
        tls.sendall(b"GET /slow/big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n")
        assert tls.recv(12).startswith(b"HTTP/1.1 200")
        assert ended(tls, 15)
    gw.event(event_type="http", http__hostname="files.example", perron__reason="time-is-up")


def test_a_clock_that_is_set_back_is_noticed(lab, own_gateway):
    """What is allowed now was blocked an hour ago, and no verdict's end lies between: the clock itself is looked at."""
    now = at(seconds=50)
    begin = now + datetime.timedelta(seconds=10)
    hour_ago = now - datetime.timedelta(minutes=60)
    text = policy(lab, workers="1",
                  web='  block domain "www.bank.example" during lesson\n  block domain "cdn.example" during before',
                  settings=slot("lesson", begin, begin + datetime.timedelta(minutes=5)) +
                  slot("before", hour_ago, hour_ago + datetime.timedelta(minutes=10)))
    gw = own_gateway(text, clock=clock(now))
    with open_tls(lab, "agent", "www.bank.example") as bank, open_tls(lab, "guest", "cdn.example") as guest:
        assert ask(bank, "www.bank.example")[0] == ask(guest, "cdn.example")[0] == 200   # the bank's verdict sets the timer
        gw.ctl("simulate", "clock", "--back", "--for", str(55 * 60))
        assert ended(guest, 15)
    gw.event(event_type="flow", tls__sni="cdn.example", perron__reason="time-is-up")


def test_a_rule_that_ends_lets_go(lab, own_gateway):
    """`until` with a time: blocked before, served after, on the same connection."""
    now = at(seconds=50)
    until = now + datetime.timedelta(seconds=10)
    text = policy(lab, web=f'  block domain "cdn.example" for agents until {until:%Y-%m-%d %H:%M}',
                  settings='time-zone "UTC"\n')
    own_gateway(text, clock=clock(now))
    assert lab.curl("agent", "https://cdn.example/hello").status == 403
    wait_for("the rule to end", lambda: lab.curl("agent", "https://cdn.example/hello").status == 200, 15)


# ---- many

N_FLOWS = 2000


def hello_bytes(name):
    """One ClientHello, as a client would send it."""
    context = ssl.create_default_context()
    out = ssl.MemoryBIO()
    half = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def kept_waiting(gw):
    """A function that gives the seconds for which this thread and the worker could have run and the machine had no processor for them."""
    files = ["/proc/thread-self/schedstat", *(f"/proc/{pid}/schedstat" for pid in gw.pids("worker"))]
    def total():
        return sum(int(Path(f).read_text().split()[1]) for f in files) / 1e9
    return total


def longest_pause(gw, tls, host, during):
    """The longest that a request took on an open connection while `during` ran, in seconds, less what the machine
    gave to others meanwhile."""
    worst, stream, waited = 0.0, tls.makefile("rb"), kept_waiting(gw)
    work = threading.Thread(target=during)
    work.start()
    end = None
    while end is None or time.monotonic() < end:
        begin = time.monotonic() - waited()
        tls.sendall(f"GET /hello HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert read_response(stream)[0] == 200
        worst = max(worst, time.monotonic() - waited() - begin)
        if end is None and not work.is_alive():
            end = time.monotonic() + 0.5
    work.join()
    return worst


def counter(gw, name):
    return gw.show("counters")[0][name]


def test_thousands_are_decided_again_without_a_pause(lab, own_gateway):
    gw = own_gateway(policy(lab, workers="1"))
    hello, socks = hello_bytes("cdn.example"), []
    try:
        for _ in range(N_FLOWS):
            socks.append(lab.connect("guest", SITES["cdn.example"].v4, 443))
            socks[-1].sendall(hello)
        wait_for("all flows to be relayed", lambda: counter(gw, "exempt") >= N_FLOWS, 30)
        with open_tls(lab, "agent", "files.example") as tls:
            for wanted, text in ((N_FLOWS, policy(lab, workers="1", web="  block domain \"elsewhere.example\"")),
                                 (0, policy(lab, workers="1", web="  block domain \"cdn.example\""))):
                before = counter(gw, "judged_again")
                pause = longest_pause(gw, tls, "files.example", lambda t=text: reload_ok(gw, t))
                wait_for("all to be decided again", lambda: counter(gw, "judged_again") >= before + N_FLOWS, 10)
                wait_for("the rest to stay", lambda n=wanted: counter(gw, "flows_open") <= n + 2, 10)
                print(f"{N_FLOWS} flows decided again: longest pause {pause * 1000:.1f} ms")
                assert pause < 0.25
                assert counter(gw, "flows_open") == wanted + 1
    finally:
        for s in socks:
            s.close()
    wait_for("their events", lambda: len(gw.events(event_type="flow", perron__reason="policy-changed")) == N_FLOWS, 10)
