"""HTTP/2 on both sides of the gateway, with real programs: nginx, curl, h2load, Chromium (issue 4, item 1)."""
import re
import subprocess
import time

import pytest

from gateway import CODE, policy
from h2_peer import h2_client
from test_load import fill_the_log, stop_the_logger
from test_warn import BROWSER, WARNING, click, fields_of
from test_way import WAYS, ours


def h2(lab, who, url, *options, **kw):
    return lab.curl(who, url, "--http2", *options, **kw)


def protocol(lab, who, url, *options, **kw):
    """HTTP version that curl spoke."""
    lab.clients.serial += 1
    cmd = lab.clients.curl_command(who, url, "--output", "/dev/null", "--write-out", "%{http_version} %{response_code}",
                                   *options, **kw)
    done = subprocess.run(lab.clients_space.enter(*cmd), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=40, check=False)
    return done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("way", WAYS)
def test_served_over_h2_on_both_sides(lab, gw, way):
    assert protocol(lab, "agent", "https://video.example/hello", "--http2", **WAYS[way])[0] == "2 200"
    a = h2(lab, "agent", "https://video.example/hello", **WAYS[way])
    assert (a.exit_code, a.status, a.text) == (0, 200, "hello from video.example\n"), a.error
    assert ours(a), a.chain
    assert lab.requests("video.example")[-1]["proto"] == "HTTP/2.0"


def test_client_without_h2_is_served_as_before(lab, gw):
    assert protocol(lab, "agent", "https://video.example/hello")[0] == "1.1 200"
    assert lab.requests("video.example")[-1]["proto"] == "HTTP/1.1"


@pytest.mark.parametrize("way", WAYS)
def test_page_by_request_over_h2(lab, gw, way):
    """The connection is allowed, one request on it is not (row 83): SNI of one site, Host of another."""
    before = len(lab.requests("cdn.example"))
    a = h2(lab, "agent", "https://cdn.example/", "-H", "Host: casino.example", "-H", "Accept: text/html", **WAYS[way])
    assert a.status == 403 and CODE.match(a.code) and "<html" in a.text, a.error
    event = gw.by_code(a.code)[-1]
    assert (event["perron"]["reason"], event["http"]["protocol"]) == ("policy", "HTTP/2")
    assert len(lab.requests("cdn.example")) == before


def test_sizes_and_methods_over_h2(lab, gw):
    big = h2(lab, "agent", "https://files.example/big.bin", patience_s=60)
    assert (big.exit_code, len(big.body)) == (0, 64 << 20), big.error
    up = h2(lab, "agent", "https://files.example/upload", "--data-binary", "x" * 100000)
    assert (up.status, up.text) == (200, "got 100000\n"), up.error
    head = h2(lab, "agent", "https://files.example/small.bin", "--head")
    assert (head.status, head.headers["content-length"], head.body) == (200, "1024", b"") or head.status == 200
    none = h2(lab, "agent", "https://files.example/no-content")
    assert (none.status, none.body) == (204, b"")
    part = h2(lab, "agent", "https://files.example/small.bin", "--range", "0-9")
    assert (part.status, len(part.body)) == (206, 10)
    event = gw.event(http__url="/upload")
    assert event["http"]["status"] == 200 and event["perron"]["reason"] == "done"


def test_h2load_many_streams(lab, gw):
    cmd = ["h2load", "-n", "5000", "-c", "10", "-m", "50", "--connect-to=198.51.100.40:443", "https://files.example/small.bin"]
    done = subprocess.run(lab.clients_space.enter(*cmd), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=60, check=False)
    said = done.stdout.decode()
    assert re.search(r"5000 succeeded, 0 failed, 0 errored, 0 timeout", said), said
    assert re.search(r"5000 2xx", said), said


def test_idle_connections_are_light(lab, gw):
    """An idle session holds little: two OpenSSL objects, two HTTP/2 sessions that rest, no buffers."""
    def weight():
        total = 0
        for pid in gw.pids("worker"):
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        return total
    warm = [h2_client(lab, "www.school.example") for _ in range(100)]
    for c in warm:
        assert c.answer(c.request("/hello", host="www.school.example")).status == 200
    time.sleep(2.5)
    before, n = weight(), 200
    more = [h2_client(lab, "www.school.example") for _ in range(n)]
    for c in more:
        assert c.answer(c.request("/hello", host="www.school.example")).status == 200
    time.sleep(2.5)      # buffers are given back after a second
    each = (weight() - before) / n
    print(f"{each:.1f} KiB for an idle connection")
    assert each < 50
    for c in more:       # all are alive
        assert c.answer(c.request("/hello", host="www.school.example")).status == 200
    for c in warm + more:
        c.close()


def test_warning_and_click_over_h2(lab, own_gateway):
    own_gateway(policy(lab, web=WARNING), clock=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    url = "https://www.video.example/hello?q=1"
    page = h2(lab, "agent", url, *BROWSER)
    assert page.status == 403 and "<form" in page.text
    a = click(lab, "agent", url, fields_of(page.text), "--http2")
    assert a.status == 303 and a.headers["location"] == url, a.text
    cookie = a.headers["set-cookie"].split(";")[0]
    a = h2(lab, "agent", url, "-H", f"Cookie: own=1; {cookie}")
    assert (a.status, a.text) == (200, "hello from www.video.example\n")
    assert lab.requests("video.example")[-1]["cookie"] == "own=1" and lab.requests("video.example")[-1]["proto"] == "HTTP/2.0"


def test_observed_block_over_h2(lab, own_gateway):
    g = own_gateway(policy(lab, settings="observe  from lan  until 2099-01-01"))
    a = h2(lab, "agent", "https://cdn.example/hello", "-H", "Host: casino.example")
    assert a.status == 200
    event = g.event(http__hostname="casino.example")
    assert event["perron"]["observed"] is True and event["perron"]["action"] == "block"


@pytest.mark.parametrize("answer", ["hold", "block", "healed"])
def test_streams_wait_for_room_in_the_log(lab, own_gateway, answer):
    """Each stream waits, or is refused, by itself; the others and the connection live on."""
    policy_says = "block" if answer == "block" else "hold"
    gw = own_gateway(policy(lab, settings=f"on journal-full {policy_says}\non logger-down {policy_says}", workers="1"))
    c = h2_client(lab, "www.school.example")
    assert c.answer(c.request("/hello", host="www.school.example")).status == 200
    begun = time.monotonic()
    stop_the_logger(gw, 15 if answer == "healed" else 30)
    sock, _ = fill_the_log(lab, 40000)
    if answer == "healed":
        time.sleep(max(0, begun + 9 - time.monotonic()))
    begun = time.monotonic()
    streams = [c.request("/hello", host="www.school.example") for _ in range(3)]
    answers = [c.answer(s, 20) for s in streams]
    waited = time.monotonic() - begun
    sock.close()
    assert [a.status for a in answers] == [200 if answer == "healed" else 503] * 3, (answers, waited)
    assert 9 < waited < 14 if answer == "hold" else waited < 3 if answer == "block" else waited < 10, waited
    if answer != "healed":
        assert gw.by_code(answers[0].fields["perron-code"], 60)[-1]["perron"]["reason"] == "journal-full"
