"""What gw/net/nft diverts, refuses and shuts, and what is left of it afterwards.

    client 10.77.0.2, fd77::2  ---lan0  gateway  wan0---  198.51.100.2, 2001:db8:77::2 internet

No perrond here: tests/net/nft_try loads the rules, a small listener in the gateway says whom it was handed, a small
server in the internet says whom it sees.
"""
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from space import Space, end, wait_for

TRY = Path(os.environ.get("PERRON_BUILD", Path(__file__).parents[2] / "build")) / "tests/net/nft_try"
V4, V6 = "198.51.100.2", "2001:db8:77::2"
CLIENT4, CLIENT6 = "10.77.0.2", "fd77::2"
OUR_UID = 64816
PLANS = int(os.environ.get("PERRON_PLANS", "300"))

SERVER = r"""
import select, socket, sys
# argv: "divert" or "origin", then tcp ports, then "udp" and udp ports
divert, args = sys.argv[1] == "divert", sys.argv[2:]
cut = args.index("udp") if "udp" in args else len(args)
socks = []
def opened(family, kind, port):
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if divert:
        s.setsockopt(*((socket.IPPROTO_IPV6, 75, 1) if family == socket.AF_INET6 else (socket.IPPROTO_IP, 19, 1)))
    s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", int(port)))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    socks.append(s)
for family in (socket.AF_INET, socket.AF_INET6):
    for port in args[:cut]:
        opened(family, socket.SOCK_STREAM, port)
    for port in args[cut + 1:]:
        opened(family, socket.SOCK_DGRAM, port)
print("up", flush=True)
streams = set()
while True:
    for s in select.select(socks + list(streams), [], [])[0]:
        if s in streams:
            data = s.recv(4096)
            if data:
                s.sendall(data)
            else:
                streams.discard(s); s.close()
        elif s.type == socket.SOCK_DGRAM:
            data, peer = s.recvfrom(4096)
            s.sendto(data, peer)
        else:
            c, peer = s.accept()
            name = c.getsockname()
            c.sendall(f"{sys.argv[1]} from {peer[0]} to {name[0]} {name[1]}\n".encode())
            streams.add(c)
"""

# Connects and talks without pause until its input ends, then says how often it met whom. argv: addresses
LOAD = r"""
import collections, os, socket, sys, threading
met, stop = collections.Counter(), threading.Event()
def count(what):
    met[what] += 1
def connects(to):
    while not stop.is_set():
        try:
            with socket.create_connection((to, 443), 5) as s:
                count((s.recv(200).split() or [b"nothing"])[0].decode())
        except OSError as e:
            count(type(e).__name__)
def talks(to):
    s = socket.create_connection((to, 443), 5)
    s.recv(200)
    while not stop.is_set():
        try:
            s.sendall(b"hello")
            count("echo" if s.recv(99) else "cut")
        except OSError as e:
            count("cut by " + type(e).__name__)
            return
threads = [threading.Thread(target=f, args=(to,)) for to in sys.argv[1:] for f in (connects, connects, talks)]
for t in threads:
    t.start()
print("up", flush=True)
sys.stdin.read()
stop.set()
for t in threads:
    t.join()
print(*(f"{k}={v}" for k, v in sorted(met.items())), sep=",")
sys.stdout.flush()
os._exit(0)
"""


class Lab:
    """Three namespaces, forwarding between the outer two, and a server in each of two."""

    def __init__(self):
        self.spaces, self.procs = [], []
        self.client, self.gateway, self.internet = [self.space(n) for n in ("client", "gateway", "internet")]
        self.wire(self.client, "lan0", "10.77.0", "fd77::")
        self.wire(self.internet, "wan0", "198.51.100", "2001:db8:77::")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.gateway.run("sysctl", "-qw", f"{key}=1")
        self.serve(self.internet, "origin", "80", "443", "22", "8443", "udp", "443", "4444")
        self.listener = self.serve(self.gateway, "divert", "3129")
        self.before = self.state()

    def space(self, name):
        s = Space(name)
        self.spaces.append(s)
        s.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")  # or addresses are not usable at first
        return s

    def wire(self, other, dev, net4, net6):
        self.gateway.run("ip", *f"link add {dev} type veth peer name eth0 netns {other.pid}".split())
        for where, name, host in ((self.gateway, dev, 1), (other, "eth0", 2)):
            where.run("ip", *f"addr add {net4}.{host}/24 dev {name}".split())
            where.run("ip", *f"addr add {net6}{host}/64 dev {name} nodad".split())
            where.run("ip", *f"link set {name} up".split())
        other.run("ip", *f"route add default via {net4}.1".split())
        other.run("ip", *f"route add default via {net6}1".split())

    def serve(self, where, *args):
        p = where.start(sys.executable, "-c", SERVER, *args, stdout=subprocess.PIPE)
        self.procs.append(p)
        assert p.stdout.readline() == b"up\n"
        return p

    def state(self):
        """All that could be left behind."""
        out = [self.gateway.run("nft", "list", "ruleset")]
        for family in ("-4", "-6"):
            out.append(self.gateway.run("ip", family, "rule"))
            out.append(self.gateway.run("ip", family, "route", "show", "table", "all"))
        return out

    def routing(self):
        return self.state()[1:]

    def tables(self):
        return self.gateway.run("nft", "list", "tables").split()[2::3]

    def counter(self, name, table="perron"):
        text = self.gateway.run("nft", "list", "counter", "inet", table, name)
        return int(text.split("packets ")[1].split()[0])

    def close(self):
        for p in self.procs:
            end(p, 3)
        for s in self.spaces:
            s.close()


class Gateway:
    """nft_try at work."""

    def __init__(self, lab, *options, zone="lan0", ports="80,443", **kw):
        self.proc = lab.gateway.start(TRY, "apply", "--uids", "64800-64880", "--to4", "3129", "--to6", "3129",
                                      "--ports", ports, "--zone", zone, *options, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, **kw)
        lab.procs.append(self.proc)
        up = self.proc.stdout.readline().split()
        assert up[:1] == [b"up"], "the rules did not load"
        self.keeper = int(up[1])

    def say(self, line, want):
        self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()
        assert self.proc.stdout.readline().strip() == want

    def stop(self):
        self.say("stop", b"stopped")
        self.proc.wait(5)

    def kill(self):
        self.proc.kill()
        self.proc.wait(5)


@pytest.fixture(name="lab")
def _lab():
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


def connect(space, to, port, timeout=2.0, source=None, transparent=False):
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with space:
        s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(timeout)
    if transparent:
        s.setsockopt(*((socket.IPPROTO_IPV6, 75, 1) if family == socket.AF_INET6 else (socket.IPPROTO_IP, 19, 1)))
    if source:
        s.bind((source, 0))
    s.connect((to, port))
    return s


def greeting(space, to, port, **kw):
    with connect(space, to, port, **kw) as s:
        return s.recv(200).decode().strip()


def datagram(space, to, port, timeout=2.0, source=None):
    """"answered", or the name of the error and after how long it came."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with space:
        s = socket.socket(family, socket.SOCK_DGRAM)
    with s:
        s.settimeout(timeout)
        if source:
            s.bind((source, 0))
        s.connect((to, port))
        begin = time.monotonic()
        s.send(b"x" * 1200)
        try:
            s.recv(2000)
            return "answered", time.monotonic() - begin
        except ConnectionRefusedError:
            return "refused", time.monotonic() - begin
        except socket.timeout:
            return "silence", time.monotonic() - begin
        except OSError as e:     # administratively prohibited: EHOSTUNREACH, EACCES
            return errno.errorcode[e.errno], time.monotonic() - begin


def assert_shut(lab, ports=(80, 443)):
    for to in (V4, V6):
        for port in ports:
            with pytest.raises(socket.timeout):
                connect(lab.client, to, port, timeout=0.4)


# ---- what is not diverted ----

def test_what_is_for_the_gateway_itself_is_left_alone(lab):
    Gateway(lab)
    for own in ("10.77.0.1", "fd77::1", "198.51.100.1"):
        with pytest.raises(ConnectionRefusedError):
            connect(lab.client, own, 443)


def test_the_listener_cannot_be_reached_by_its_own_address(lab):
    Gateway(lab)
    for own in ("10.77.0.1", "fd77::1"):
        with pytest.raises(ConnectionRefusedError):
            connect(lab.client, own, 3129)
    with pytest.raises(ConnectionRefusedError):  # that port elsewhere is nobody's concern: the origin refuses it
        connect(lab.client, V4, 3129)
    assert lab.counter("diverted") == 0


def test_other_ports_and_other_sources_are_not_diverted(lab):
    Gateway(lab, "--open", zone="-,10.77.0.128/25,fd77::/16")
    assert greeting(lab.client, V4, 22).startswith("origin")
    assert greeting(lab.client, V4, 443).startswith(f"origin from {CLIENT4}")
    assert greeting(lab.client, V6, 443).startswith("divert")


def test_interface_and_network_must_both_match(lab):
    Gateway(lab, "--open", zone="wan0,10.77.0.0/24")
    assert greeting(lab.client, V4, 443).startswith("origin")


def test_own_flows_are_counted_and_not_diverted(lab):
    Gateway(lab, zone="-,0.0.0.0/0,::/0")
    code = f"import socket; print(socket.create_connection(('{V4}', 443), 2).recv(99).decode())"
    ours = lab.gateway.run("setpriv", "--reuid", OUR_UID, "--clear-groups", sys.executable, "-c", code)
    assert ours.startswith("origin from 198.51.100.1")
    assert lab.counter("own_flows") == 1
    assert lab.gateway.run(sys.executable, "-c", code).startswith("origin")
    assert lab.counter("own_flows") == 1
    assert lab.counter("diverted") == 0


# ---- what is ----

@pytest.mark.parametrize("zone", ["lan0", "-,10.77.0.0/24,fd77::/64", "lan0,10.0.0.0/8,10.77.0.0/16,::/0"])
def test_both_families_are_diverted_with_their_destination(lab, zone):
    Gateway(lab, zone=zone)
    for port in (80, 443):
        assert greeting(lab.client, V4, port) == f"divert from {CLIENT4} to {V4} {port}"
        assert greeting(lab.client, V6, port) == f"divert from {CLIENT6} to {V6} {port}"
    assert lab.counter("diverted") >= 4


def test_data_flows_both_ways_and_the_fast_path_takes_it(lab):
    Gateway(lab)
    with connect(lab.client, V4, 443) as s:
        s.recv(200)
        before = lab.counter("diverted")
        for i in range(50):
            s.sendall(b"%03d" % i)
            assert s.recv(10) == b"%03d" % i
        assert lab.counter("diverted") == before


@pytest.mark.parametrize("to,source", [(V4, CLIENT4), (V6, CLIENT6)])
def test_a_socket_with_the_clients_address_gets_its_answers(lab, to, source):
    Gateway(lab)
    said = greeting(lab.gateway, to, 443, source=source, transparent=True)
    assert said == f"origin from {source} to {to} 443"


def test_quic_is_refused_at_once(lab):
    Gateway(lab)
    for to in (V4, V6):
        what, after_s = datagram(lab.client, to, 443)
        assert what == "refused" and after_s < 0.1, (what, after_s)
        assert datagram(lab.client, to, 4444)[0] == "answered"


def test_quic_passes_where_the_plan_says_so(lab):
    Gateway(lab, "--no-quic", "--open")
    assert datagram(lab.client, V4, 443)[0] == "answered"


# ---- strangers: sources in no zone ----

STRANGER4, STRANGER6 = "10.99.0.2", "fd99::2"
ZONE = "lan0,10.77.0.0/24,fd77::/64"


@pytest.fixture(name="strange")
def _strange(lab):
    """The client's interface has addresses of a second network, which the gateway routes as well."""
    lab.client.ip([f"addr add {STRANGER4}/24 dev eth0", f"addr add {STRANGER6}/64 dev eth0 nodad"])
    lab.gateway.ip(["addr add 10.99.0.1/24 dev lan0", "addr add fd99::1/64 dev lan0 nodad"])
    return lab


def strangers_meet(lab, port):
    return [meets(lab, to, port, source) for to, source in ((V4, STRANGER4), (V6, STRANGER6))]


def meets(lab, to, port, source):
    try:
        return greeting(lab.client, to, port, source=source).split()[0]
    except ConnectionRefusedError:
        return "refused"


def assert_strangers_refused(lab, table="perron"):
    for port in (80, 443, 22):
        assert strangers_meet(lab, port) == ["refused", "refused"], port
    for to, source in ((V4, STRANGER4), (V6, STRANGER6)):
        what, after_s = datagram(lab.client, to, 4444, source=source)
        assert what in ("EHOSTUNREACH", "EACCES") and after_s < 0.5, (to, what)
    assert lab.counter("no_zone", table) >= 8


def test_a_source_in_no_zone_is_refused_on_a_zones_interface(strange):
    Gateway(strange, zone=ZONE)
    assert_strangers_refused(strange)
    assert strange.counter("diverted") == 0


def test_ipv6_beside_a_zone_of_ipv4_networks_is_no_way_around(strange):
    Gateway(strange, zone="lan0,10.0.0.0/8")
    assert meets(strange, V6, 443, CLIENT6) == meets(strange, V6, 22, CLIENT6) == "refused"
    assert meets(strange, V4, 443, CLIENT4) == "divert" and meets(strange, V4, 22, CLIENT4) == "origin"


def test_an_address_of_a_zone_elsewhere_is_no_way_around(strange):
    """A zone's network counts on that zone's interface only; one without an interface counts everywhere."""
    Gateway(strange, "--zone", "wan0,10.99.0.0/24", "--zone", "-,fd99::/64", zone=ZONE)
    assert strangers_meet(strange, 443) == ["refused", "divert"]


def test_who_is_in_a_zone_is_not_a_stranger(strange):
    Gateway(strange, zone=ZONE)
    for to, source in ((V4, CLIENT4), (V6, CLIENT6)):
        assert meets(strange, to, 22, source) == "origin" and meets(strange, to, 443, source) == "divert"
        assert datagram(strange.client, to, 4444, source=source)[0] == "answered"
    assert strange.counter("no_zone") == 0


@pytest.mark.parametrize("options,zone", [((), "-,10.77.0.0/24,fd77::/64"), (("--internet", "lan0"), ZONE)],
                         ids=["interface-not-named", "one-interface-for-all"])
def test_other_interfaces_are_left_alone(strange, options, zone):
    Gateway(strange, *options, zone=zone)
    for port in (443, 22):
        assert strangers_meet(strange, port) == ["origin", "origin"]
    assert datagram(strange.client, V4, 4444, source=STRANGER4)[0] == "answered"
    assert meets(strange, V4, 443, CLIENT4) == "divert"


def test_answers_and_errors_of_a_stranger_pass(strange):
    """A server that the policy does not know can be reached from outside, as before."""
    Gateway(strange, zone=ZONE)
    strange.serve(strange.client, "theirs", "8080", "udp")
    for to in (STRANGER4, STRANGER6):
        with connect(strange.internet, to, 8080) as s:
            assert s.recv(200).startswith(b"theirs")
            s.sendall(b"hello")
            assert s.recv(200) == b"hello"
        assert datagram(strange.internet, to, 4444)[0] == "refused"    # by the host itself: its ICMP error came through


def test_strangers_stay_out_of_a_closed_gateway_and_pass_an_open_one(strange):
    Gateway(strange, zone=ZONE).stop()
    assert_strangers_refused(strange, "perron_closed")
    Gateway(strange, "--open", zone=ZONE).stop()
    assert strangers_meet(strange, 443) == ["origin", "origin"]


# ---- changes ----

def test_a_new_plan_takes_over_without_cutting_a_connection(lab):
    gw = Gateway(lab, "--open")
    assert greeting(lab.client, V4, 8443).startswith("origin")
    with connect(lab.client, V4, 443) as s:
        s.recv(200)
        gw.say("ports 8443", b"applied")
        s.sendall(b"still here")
        assert s.recv(20) == b"still here"
    assert greeting(lab.client, V4, 8443).startswith("divert")
    assert greeting(lab.client, V4, 443).startswith("origin")


@pytest.mark.parametrize("options", [(), ("--open",)], ids=["closed", "open"])
def test_while_rules_move_nothing_is_refused_and_nothing_passes(lab, options):
    """Hundreds of plans that differ, under connections and talk: each is met by the old rules or by the new ones."""
    gw = Gateway(lab, *options)
    load = lab.client.start(sys.executable, "-c", LOAD, V4, V6, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lab.procs.append(load)
    assert load.stdout.readline() == b"up\n"
    plans = ["ports 80,443,8443", "zone -,10.0.0.0/8,fd77::/64", "ports 443", "zone lan0,10.77.0.0/16,fd00::/8,192.0.2.0/24",
             "ports 443,80", "zone lan0"]
    for n in range(PLANS):
        gw.say(plans[n % len(plans)], b"applied")
    out, _ = load.communicate(timeout=20)
    met = {k: int(v) for k, v in (x.split("=") for x in out.decode().strip().split(","))}
    assert set(met) == {"divert", "echo"}, met
    assert met["divert"] > PLANS and met["echo"] > PLANS, met


def test_a_wrong_plan_changes_nothing(lab):
    gw = Gateway(lab)
    had = lab.state()
    gw.say("zone x; flush ruleset", b"refused: zone 1 of the divert plan: not the name of an interface")
    gw.say("zone -", b"refused: zone 1 of the divert plan: neither interface nor network")
    assert lab.state() == had and "tproxy" in had[0]


def test_a_plan_without_ports_diverts_nothing_any_more(lab):
    gw = Gateway(lab)
    gw.say("ports ", b"applied")
    assert lab.state() == lab.before
    gw.say("ports 443", b"applied")
    assert greeting(lab.client, V4, 443).startswith("divert")


def test_a_bad_interface_name_is_refused_before_anything_is_loaded(lab):
    done = subprocess.run(lab.gateway.enter(TRY, "apply", "--uids", "1-2", "--to4", "3129", "--ports", "80", "--zone",
                                            'x" accept'), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"not the name of an interface" in done.stderr
    assert lab.state() == lab.before


def test_a_second_gateway_is_refused_with_one_line(lab):
    Gateway(lab)
    done = subprocess.run(lab.gateway.enter(TRY, "release"), stdin=subprocess.DEVNULL, capture_output=True,
                          check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith(b"another gateway diverts traffic")
    assert greeting(lab.client, V4, 443).startswith("divert")


def test_a_table_of_somebody_else_is_not_touched(lab):
    lab.gateway.run("nft", "add table inet perron { chain theirs { } ; }")
    had = lab.state()
    done = subprocess.run(lab.gateway.enter(TRY, "apply", "--uids", "1-2", "--to4", "3129", "--ports", "80", "--zone",
                                            "lan0"), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"somebody else made a table" in done.stderr
    assert lab.state() == had


# ---- the end ----

def test_without_a_listener_nothing_gets_past(lab):
    Gateway(lab)
    end(lab.listener)
    assert_shut(lab)


def test_an_orderly_stop_with_open_leaves_nothing(lab):
    gw = Gateway(lab, "--open")
    assert lab.state() != lab.before
    gw.stop()
    assert lab.state() == lab.before
    assert greeting(lab.client, V4, 443).startswith("origin")


def test_an_orderly_stop_with_closed_shuts_the_ports_until_release(lab):
    gw = Gateway(lab)
    gw.stop()
    assert lab.tables() == ["perron_closed"]
    assert lab.routing() == lab.before[1:]
    assert_shut(lab)
    assert greeting(lab.client, V4, 22).startswith("origin")
    assert datagram(lab.client, V4, 443)[0] == "refused"
    assert lab.counter("shut", "perron_closed") > 0
    lab.gateway.run(TRY, "release")
    assert lab.state() == lab.before
    lab.gateway.run(TRY, "release")  # and once more is no failure


def test_starting_again_takes_over_what_was_shut(lab):
    Gateway(lab).stop()
    again = Gateway(lab)
    assert greeting(lab.client, V6, 443).startswith("divert")
    again.stop()
    Gateway(lab, "--open").stop()
    assert lab.state() == lab.before


def test_killed_with_open_leaves_nothing(lab):
    gw = Gateway(lab, "--open", "--keeper")
    os.kill(gw.keeper, 0)
    gw.kill()
    wait_for("the keeper to clean up", lambda: lab.state() == lab.before, 5.0, 0.02)
    assert greeting(lab.client, V4, 443).startswith("origin")
    wait_for("the keeper to end", lambda: not Path(f"/proc/{gw.keeper}").exists(), 2)


def test_killed_with_closed_shuts_the_ports(lab):
    gw = Gateway(lab, "--keeper")
    gw.kill()
    wait_for("the keeper to clean up", lambda: lab.routing() == lab.before[1:], 1.0, 0.02)
    assert lab.tables() == ["perron_closed"]
    assert_shut(lab)
    again = Gateway(lab, "--keeper")
    assert greeting(lab.client, V4, 443).startswith("divert")
    again.kill()
    wait_for("the keeper to clean up", lambda: lab.routing() == lab.before[1:], 1.0, 0.02)
    lab.gateway.run(TRY, "release")
    assert lab.state() == lab.before


def test_at_no_moment_does_a_killed_closed_gateway_let_anything_through(lab):
    gw = Gateway(lab, "--keeper")
    gw.proc.kill()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        try:
            said = greeting(lab.client, V4, 443, timeout=0.1)
        except (OSError, socket.timeout):
            continue
        assert not said.startswith("origin")
    gw.proc.wait()


def test_the_keeper_outlives_a_kill_of_the_whole_process_group(lab):
    gw = Gateway(lab, "--open", "--keeper", start_new_session=True)
    os.killpg(os.getpgid(gw.proc.pid), signal.SIGKILL)
    gw.proc.wait(5)
    wait_for("the keeper to clean up", lambda: lab.state() == lab.before, 5.0, 0.02)


def test_a_new_start_waits_for_the_keeper_of_the_old(lab):
    gw = Gateway(lab, "--keeper")
    os.kill(gw.keeper, signal.SIGSTOP)
    gw.kill()
    new = lab.gateway.start(TRY, "apply", "--uids", "1-2", "--to4", "3129", "--ports", "80", "--zone", "lan0",
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lab.procs.append(new)
    time.sleep(0.5)
    assert lab.tables() == ["perron_closed"]
    os.kill(gw.keeper, signal.SIGCONT)
    assert new.stdout.readline().startswith(b"up")
    assert greeting(lab.client, V4, 80).startswith("divert")


# ---- the opener ----

def ask_opener(lab, *lines):
    p = lab.gateway.start(TRY, "opener", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lab.procs.append(p)
    out, _ = p.communicate("".join(f"{line}\n" for line in lines).encode(), timeout=10)
    return out.decode().splitlines()[1:]


def test_the_opener_binds_clients_addresses(lab):
    got = ask_opener(lab, CLIENT4, CLIENT6, f"{CLIENT4}/40000")
    assert got == [f"1 bound {CLIENT4}", f"2 bound {CLIENT6}", f"3 bound {CLIENT4}"]


def test_the_opener_refuses_addresses_that_are_no_clients(lab):
    refused = os.strerror(errno.EACCES)
    got = ask_opener(lab, "127.0.0.1", "::1", "224.0.0.1", "0.0.0.0", f"{CLIENT4}/443")
    assert got == [f"{n} refused {refused}" for n in range(1, 6)]


def test_rubbish_closes_the_workers_channel(lab):
    assert ask_opener(lab, CLIENT4, "rubbish") == [f"1 bound {CLIENT4}", "channel closed"]
