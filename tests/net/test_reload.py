"""A policy is changed while people work: what runs on goes on, what comes next meets the new rules, a bad file changes
nothing."""
import hashlib
import os
import subprocess
import sys
import time

from client import read_response
from gateway import field, policy
from sites import SITES
from space import wait_for

# Requests without pause, each on a connection of its own, until the input ends; then how often which first line came.
# argv: ADDRESS/PORT/URL...
LOAD = r"""
import collections, os, socket, sys, threading
met, stop = collections.Counter(), threading.Event()
def ask(to, port, url):
    host = "cdn.example"
    while not stop.is_set():
        try:
            with socket.create_connection((to, int(port)), 10) as s:
                s.sendall(f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                met[s.makefile("rb").readline().decode().strip() or "nothing"] += 1
        except OSError as e:
            met[f"{to} {type(e).__name__}"] += 1
threads = [threading.Thread(target=ask, args=a.split("|")) for a in sys.argv[1:] for _ in range(2)]
for t in threads:
    t.start()
print("up", flush=True)
sys.stdin.read()
stop.set()
for t in threads:
    t.join()
for what, n in met.items():
    print(f"{n} {what}")
sys.stdout.flush()
os._exit(0)
"""

RELOADS = int(os.environ.get("PERRON_RELOADS", "200"))
RULE = "  block    category streaming  for pupils\n"


def test_reload_during_a_download(lab, own_gateway):
    gw = own_gateway()
    body = lab.folder / "reload-download"
    cmd = lab.clients.curl_command("pupil", "https://files.example/slow/big.bin", "--output", body, "--max-time", "120",
                                   "--range", "0-6291455")
    running = subprocess.Popen(lab.clients_space.enter(*cmd), stdin=subprocess.DEVNULL)
    with lab.tls("pupil", lab.connect("pupil", SITES["cdn.example"].v4, 443), "cdn.example") as tls:
        stream = tls.makefile("rb")
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\n\r\n")
        assert read_response(stream)[0] == 200
        assert lab.curl("pupil", "https://video.example/hello").status == 403
        for n in range(5):
            text = policy(lab).replace(RULE, "" if n % 2 == 0 else RULE)
            status, said = gw.reload(text)
            assert status == 0, said
            time.sleep(0.2)
        assert running.poll() is None, "the download ended before the reloads did"
        assert lab.curl("pupil", "https://video.example/hello").status == 200
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: casino.example\r\n\r\n")
        assert read_response(stream)[0] == 403, "an open connection is judged by the new policy"
    assert running.wait(60) == 0
    assert body.stat().st_size == 6 << 20
    assert hashlib.sha256(body.read_bytes()).digest() == hashlib.sha256(bytes(6 << 20)).digest()


def test_open_connection_meets_the_new_rules(lab, own_gateway):
    gw = own_gateway()
    with lab.tls("agent", lab.connect("agent", SITES["social.example"].v4, 443), "social.example") as tls:
        stream = tls.makefile("rb")
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: social.example\r\n\r\n")
        assert read_response(stream)[0] == 200
        status, said = gw.reload(policy(lab, web="  block category social"))
        assert status == 0, said
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: social.example\r\n\r\n")
        assert read_response(stream)[0] == 403


def test_bad_file_changes_nothing(lab, own_gateway):
    gw = own_gateway()
    a = lab.curl("pupil", "https://video.example/")
    before = gw.by_code(a.code)[-1]["perron"]["snapshot"]
    good = gw.file.read_text()
    for bad, place in ((good.replace("forbid   category gambling", "forbid   categry gambling"), "categry"),
                       (good.replace("web {", "wbe {"), "wbe"), (good + "\nzone x network 10.0.0.0/99\n", "10.0.0.0/99")):
        status, said = gw.reload(bad)
        assert status == 1, (place, said)
        assert "^" in said and f"{gw.file}:" in said, said
        a = lab.curl("pupil", "https://video.example/")
        assert a.status == 403 and gw.by_code(a.code)[-1]["perron"]["snapshot"] == before
    gw.file.unlink()
    status, said = gw.reload()
    assert status == 1 and str(gw.file) in said
    assert lab.curl("agent", "https://video.example/hello").status == 200


def test_each_load_is_in_the_log_with_who_and_what(lab, own_gateway):
    gw = own_gateway()
    gw.reload(policy(lab).replace(RULE, ""))
    gw.reload("nonsense\n")
    wait_for("three engine events", lambda: len(gw.events(event_type="engine")) >= 3)
    first, second, third = gw.events(event_type="engine")[:3]
    assert field(first, "perron__outcome") == "loaded" and field(second, "perron__outcome") == "loaded"
    assert second["perron"]["old"] == first["perron"]["new"] != second["perron"]["new"]
    assert second["perron"]["who"] == "uid 0"
    assert field(third, "perron__outcome") == "refused"


def test_hundred_reloads_under_load(lab, own_gateway):
    gw = own_gateway()
    url = "https://cdn.example/hello"
    cmd = lab.clients.curl_command("agent", url, "--output", "/dev/null", "--write-out", "%{http_code}\n", "--fail")
    loop = ["sh", "-c", 'while :; do "$@" || echo broken; done', "load", *cmd]
    proc = subprocess.Popen(lab.clients_space.enter(*loop), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL)
    try:
        for n in range(100):
            status, said = gw.reload(policy(lab).replace(RULE, "" if n % 2 else RULE))
            assert status == 0, said
    finally:
        proc.terminate()
        out = proc.communicate()[0].decode()
    answers = out.split()
    assert answers.count("200") > 20 and set(answers) <= {"200"}, out[-500:]


def test_reloads_that_move_packet_rules_under_load(lab, own_gateway):
    """The diverted ports and a zone's networks change while connections come in on three ways: none of them is refused,
    none passes by."""
    gw = own_gateway()
    site = SITES["cdn.example"]
    ways = [f"{site.v4}|80|/hello", f"{site.v6}|80|/hello", "10.32.0.1|3128|http://cdn.example/hello"]
    load = lab.clients_space.start(sys.executable, "-c", LOAD, *ways, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert load.stdout.readline() == b"up\n"
    before = len(lab.requests("cdn.example"))
    for n in range(RELOADS):
        text = policy(lab, settings=["divert tcp 80, 443, 8443", "divert tcp 443, 80", ""][n % 3])
        status, said = gw.reload(text.replace("10.112.0.0/16", ["10.112.0.0/16", "10.112.0.0/17"][n % 2]))
        assert status == 0, said
    out, _ = load.communicate(timeout=30)
    met = dict(reversed(line.split(" ", 1)) for line in out.decode().splitlines())
    assert set(met) == {"HTTP/1.1 200 OK"}, met
    seen = lab.requests("cdn.example")[before:]
    assert int(met["HTTP/1.1 200 OK"]) > RELOADS and {r["client"] for r in seen} == {"192.0.2.1", "2001:db8:2::1"} , met


def memory_kib(gw):
    """What the gateway's processes have for themselves: heaps, not rings between them."""
    total = 0
    for pid in gw.pids():
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))
    return total


def test_a_rule_shows_at_once_beside_a_large_list(lab, own_gateway):
    """50 reloads of a policy with 300,000 names under requests and a download: each shows at the next request, nobody else
    notices, and nothing is kept of it."""
    listing = lab.folder / "large-list"
    listing.write_text("".join(f"www.n{n}.listed{n % 97}.example\n" for n in range(300000)))

    def text(n):
        rule = '  block  domain "social.example"\n' if n % 2 else ""
        return policy(lab, web=f"{rule}  block  category large\n").replace(
            "category  banking", f'category  large  file "{listing}"\ncategory  banking')

    gw = own_gateway(text(0))
    body = lab.folder / "large-download"
    slow = lab.clients.curl_command("agent", "https://files.example/slow/big.bin", "--output", body, "--max-time", "120",
                                    "--range", "0-8388607", "--fail")
    download = subprocess.Popen(lab.clients_space.enter(*slow), stdin=subprocess.DEVNULL)
    cmd = lab.clients.curl_command("agent", "https://cdn.example/hello", "--output", "/dev/null", "--write-out", "%{http_code}\n",
                                   "--fail")
    loop = ["sh", "-c", 'while :; do "$@" || echo broken; done', "load", *cmd]
    load = subprocess.Popen(lab.clients_space.enter(*loop), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL)
    try:
        for n in range(1, 51):
            status, said = gw.reload(text(n))
            assert status == 0, said
            assert lab.curl("agent", "https://social.example/hello").status == (403 if n % 2 else 200), n
            if n == 5:
                before = memory_kib(gw)
        after = memory_kib(gw)
    finally:
        load.terminate()
        out = load.communicate()[0].decode()
    answers = out.split()
    assert answers.count("200") > 20 and set(answers) <= {"200"}, out[-500:]
    assert after - before < 4096, (before, after)
    assert download.wait(60) == 0 and body.stat().st_size == 8 << 20
