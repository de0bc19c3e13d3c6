"""Processes: what each may do, what happens when one dies or hangs, and what is left when all are gone.

Every test has a gateway of its own (two workers), because it kills parts of it.
"""
import ctypes
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway import policy
from sites import SITES
from space import wait_for

PROXY = "http://10.32.0.1:3128"
UIDS = {"signer": 64801, "logger": 64802, "opener": 64804, "keeper": 64805, "fetcher": 64807}
CAP_NET_ADMIN = 1 << 12


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def rows(gw):
    return [row["process"] for row in gw.show("processes")]


def row(gw, role, index=0):
    return next(r for r in rows(gw) if r["role"] == role and r["index"] == index)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def replaced_within(gw, role, index=0, sig=signal.SIGKILL):
    """Milliseconds until another process of that role is ready."""
    old = row(gw, role, index)["pid"]
    began = time.monotonic()
    os.kill(old, sig)

    def another():
        now = row(gw, role, index)
        return now["pid"] != old and now["state"] == "ready"
    wait_for(f"another {role}", another, 5, 0.01)
    return (time.monotonic() - began) * 1000


def rules_left(lab):
    """Everything of ours in the gateway's namespace: tables, rules, routes."""
    g = lab.gateway_space
    text = g.run("nft", "list", "tables") + g.run("ip", "rule") + g.run("ip", "-6", "rule")
    return [line for line in text.splitlines() if re.search(r"perron|0x5052|20562", line)]


# ---- what each may do

def test_facts_of_every_process(own_gateway):
    gw = own_gateway()
    for r in rows(gw):
        if r["role"] == "master":
            continue
        s = status_of(r["pid"])
        want = UIDS[r["role"]] if r["role"] != "worker" else 64816 + r["index"]
        assert s["Uid"].split() == [str(want)] * 4, r
        assert s["Gid"].split() == [str(want)] * 4, r
        assert s["Groups"].strip() == "", r
        keeps = CAP_NET_ADMIN if r["role"] in ("keeper", "opener") else 0
        for name in ("CapEff", "CapPrm"):
            assert int(s[name], 16) == keeps, (r, name, s[name])
        for name in ("CapInh", "CapAmb", "CapBnd"):
            assert int(s[name], 16) == 0, (r, name, s[name])
        assert s["NoNewPrivs"] == "1" and s["Seccomp"] == "2", r
        with open(f"/proc/{r['pid']}/limits") as f:
            assert re.search(r"Max core file size +0 +0 ", f.read()), r
        assert os.stat(f"/proc/{r['pid']}/environ").st_uid == 0, "not dumpable: its /proc belongs to root"
        assert os.stat(f"/proc/{r['pid']}/mem").st_uid == 0


def turn_us(pid):
    """How long a turn on the processor the process asked for (sched_getattr); 0: this kernel takes no such wish."""
    attr = (ctypes.c_uint64 * 6)()
    get = {"x86_64": 315, "aarch64": 275}[os.uname().machine]
    assert ctypes.CDLL(None, use_errno=True).syscall(get, pid, attr, ctypes.sizeof(attr), 0) == 0
    return attr[3] // 1000


def test_workers_alone_ask_for_short_turns(own_gateway):
    if turn_us(0) == 0:
        pytest.skip("a kernel before 6.12")
    gw = own_gateway()
    for r in rows(gw):
        assert (turn_us(r["pid"]) == 500) == (r["role"] == "worker"), r


def test_no_worker_has_a_file_of_a_path_open(own_gateway):
    gw = own_gateway()
    for pid in gw.pids("worker") + gw.pids("fetcher") + gw.pids("signer"):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if int(fd) <= 2:
                continue
            if pid in gw.pids("signer") and target.startswith(f"{gw.state}/leaves/"):
                with open(f"/proc/{pid}/fdinfo/{fd}") as f:     # the register: handed over, to append to and nothing else
                    flags = int(re.search(r"flags:\s+(\d+)", f.read())[1], 8)
                assert flags & os.O_ACCMODE == os.O_WRONLY and flags & os.O_APPEND
                continue
            assert target.startswith(("socket:", "anon_inode:", "pipe:", "/memfd:", "/dev/zero")), (fd, target)


def memory_has(pid, needles):
    """Which of the byte strings are anywhere in the writable memory of a process."""
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            at, rights = line.split()[:2]
            begin, end = (int(x, 16) for x in at.split("-"))
            if not rights.startswith("rw"):
                continue
            try:
                mem.seek(begin)
                data = mem.read(end - begin)
            except OSError:
                continue
            found |= {n for n in needles if n in data}
    return found


def test_the_ca_key_is_in_the_signer_only(own_gateway, lab):
    gw = own_gateway()
    assert lab.curl("agent", "https://cdn.example/small.bin").status == 200
    key = load_pem_private_key((gw.state / "ca" / "issuing.key").read_bytes(), None)
    number = key.private_numbers().private_value
    needles = {number.to_bytes(32, "big"), number.to_bytes(32, "little"),
               (gw.state / "ca" / "issuing.key").read_bytes().splitlines()[1]}
    holders = {r["role"] for r in rows(gw) if memory_has(r["pid"], needles)}
    assert holders == {"signer"}


def test_programs_are_started_without_environment(own_gateway):
    gw = own_gateway()
    for r in rows(gw):
        if r["role"] != "master":
            with open(f"/proc/{r['pid']}/environ", "rb") as f:
                assert f.read() == b"", r


# ---- dying and coming back

def test_a_killed_worker_is_back_within_a_second(own_gateway, lab):
    gw = own_gateway()
    took = [replaced_within(gw, "worker", i) for i in (0, 1, 0)]
    assert max(took) < 1000, took
    assert row(gw, "worker", 0)["restarts"] == 2
    assert [lab.curl("agent", "https://cdn.example/small.bin").status for _ in range(6)] == [200] * 6


def flow_worker(gw, name):
    """Which worker has the open flow to this name; None: nobody."""
    for answer in gw.show("flows"):
        if any(f.get("name") == name for f in answer["data"]):
            return answer["worker"]
    return None


def test_the_other_workers_flows_do_not_notice(own_gateway, lab):
    gw = own_gateway()
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(lab.curl, "agent", "https://files.example/big.bin", "--limit-rate", "16M")
        mine = wait_for("the download's flow", lambda: (flow_worker(gw, "files.example"),), 5)[0]
        for _ in range(200):
            if mine is not None:
                break
            time.sleep(0.02)
            mine = flow_worker(gw, "files.example")
        assert mine is not None
        for _ in range(3):
            assert replaced_within(gw, "worker", 1 - mine) < 1000
        answer = slow.result()
    assert answer.exit_code == 0 and answer.status == 200 and len(answer.body) == 64 << 20


def test_no_client_is_refused_while_a_worker_is_replaced(own_gateway, lab):
    """The sockets stay open in the master: who comes meanwhile waits for the successor."""
    gw = own_gateway()
    assert lab.curl("agent", "http://plain.example/").status == 200
    stop = threading.Event()
    errors = []

    def ask():
        while not stop.is_set():
            sock = lab.connect("agent", SITES["plain.example"].v4, 80, timeout_s=5)
            sock.close()

    def run():
        try:
            ask()
        except OSError as e:
            errors.append(e)
    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for i in (0, 1):
        replaced_within(gw, "worker", i)
    stop.set()
    for t in threads:
        t.join()
    assert errors == []


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_silent_signer_is_replaced_within_a_second(own_gateway, lab, sig):
    gw = own_gateway()
    assert lab.curl("agent", "https://cdn.example/small.bin").status == 200
    assert replaced_within(gw, "signer", sig=sig) < 1000
    assert lab.curl("agent", "https://files.example/small.bin").status == 200
    assert row(gw, "signer")["restarts"] == 1


def test_while_the_signer_is_away_known_hosts_go_on_and_new_ones_end_in_two_seconds(own_gateway, lab):
    gw = own_gateway()
    for _ in range(8):      # both workers know this host
        assert lab.curl("agent", "https://cdn.example/small.bin").status == 200
    gw.ctl("simulate", "signer-down", "--for", "8")
    for _ in range(4):
        assert lab.curl("agent", "https://cdn.example/small.bin").status == 200
    new = lab.curl("agent", "https://files.example/small.bin")
    assert new.status == 0 and "internal error" in new.error and 1.5 < new.seconds < 4, new
    proxied = lab.curl("agent", "https://many.example/small.bin", proxy=PROXY)
    assert proxied.status == 503 and proxied.exit_code != 0 and 1.5 < proxied.seconds < 4, proxied
    plain = lab.curl("agent", "http://plain.example/hello")
    assert plain.status == 503 and plain.code and 1.5 < plain.seconds < 4, plain
    assert gw.event(perron__reason="signer-down")
    wait_for("the signer", lambda: row(gw, "signer")["state"] == "ready", 15)
    assert lab.curl("agent", "https://files.example/small.bin").status == 200


def test_twenty_kills_of_the_logger_lose_no_record(own_gateway, lab):
    gw = own_gateway()
    stop = threading.Event()
    codes = []

    def ask(n):
        i = 0
        while not stop.is_set():
            a = lab.curl("agent", f"http://plain.example/w{n}-{i}")
            codes.append((f"/w{n}-{i}", a.status))
            i += 1
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    for _ in range(20):
        assert replaced_within(gw, "logger") < 2000
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join()
    assert len(codes) > 20
    want = sorted(path for path, _ in codes)
    wait_for("every record", lambda: sorted(e["http"]["url"] for e in gw.events(event_type="http")) == want, 10)
    for worker in (0, 1):
        seqs = [e["perron"]["seq"] for e in gw.events() if e["perron"]["worker"] == worker]
        assert sorted(seqs) == list(range(1, len(seqs) + 1)), "no number is missing and none is there twice"


def test_a_worker_that_dies_at_once_again_and_again_is_not_started_in_a_storm(own_gateway):
    gw = own_gateway()
    began = time.monotonic()
    while time.monotonic() - began < 3:
        r = row(gw, "worker", 0)
        if r["state"] != "down" and alive(r["pid"]):
            os.kill(r["pid"], signal.SIGKILL)
        time.sleep(0.01)
    assert 3 <= row(gw, "worker", 0)["restarts"] <= 15
    wait_for("the worker", lambda: row(gw, "worker", 0)["state"] == "ready", 10)


# ---- ending

def gateway_down(lab, answer):
    return policy(lab, settings=f"on gateway-down {answer}")


def test_an_orderly_stop_leaves_nothing(own_gateway, lab):
    gw = own_gateway(gateway_down(lab, "open"))
    pids = gw.pids()
    assert rules_left(lab)
    assert gw.stop() == 0
    assert [p for p in pids if alive(p)] == []
    assert rules_left(lab) == []
    assert not (gw.state / "control").exists()
    assert lab.curl("agent", "http://plain.example/").status == 200    # straight, without us


@pytest.mark.parametrize("proxy", [PROXY, None])
def test_an_orderly_stop_lets_open_exchanges_end(own_gateway, lab, proxy):
    gw = own_gateway(gateway_down(lab, "open"))
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(lab.curl, "agent", "https://files.example/big.bin", "--limit-rate", "24M", proxy=proxy)
        wait_for("the flow", lambda: flow_worker(gw, "files.example") is not None, 5)
        time.sleep(0.3)
        gw.proc.send_signal(signal.SIGTERM)
        answer = slow.result()
        gw.proc.wait(10)
    assert answer.status == 200 and len(answer.body) == 64 << 20
    assert gw.proc.returncode == 0


def test_an_orderly_stop_with_closed_holds_the_zone_shut(own_gateway, lab):
    gw = own_gateway(gateway_down(lab, "closed"))
    gw.stop()
    assert lab.curl("agent", "http://plain.example/", "--connect-timeout", "2").status == 0
    lab.open_again()
    assert lab.curl("agent", "http://plain.example/").status == 200


def test_killing_the_master_ends_everything_and_leaves_nothing(own_gateway, lab):
    gw = own_gateway(gateway_down(lab, "open"))
    pids = gw.pids()
    for pid in gw.pids("master"):
        os.kill(pid, signal.SIGKILL)
    wait_for("all children to be gone", lambda: not [p for p in pids if alive(p)], 5)
    wait_for("our rules to be gone", lambda: rules_left(lab) == [], 5)


def test_a_new_start_after_a_kill_takes_over(own_gateway, lab):
    gw = own_gateway()
    for pid in gw.pids("master"):
        os.kill(pid, signal.SIGKILL)
    gw.proc.wait(10)
    gw.start()
    assert lab.curl("agent", "https://cdn.example/small.bin").status == 200


# ---- running out of things

def test_a_service_managers_signal_to_every_process_is_an_orderly_stop(own_gateway):
    gw = own_gateway()
    pids = gw.pids()
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert gw.proc.wait(20) == 0
    assert [p for p in pids if alive(p)] == []
    assert "was ended by signal" not in gw.said()
