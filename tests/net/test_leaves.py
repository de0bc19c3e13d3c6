"""Leaves: one mint however many ask, a register that holds every one of them whatever dies, and a signer that says no."""
import json
import os
import re
import signal
import ssl
import threading

from gateway import policy
from hostile import client_hello
from sites import SITES
from space import wait_for


def register(gw):
    return gw.state / "leaves" / "000001.jsonl"


def entries(gw, *words):
    """The entries, and what is said of the whole."""
    lines = [json.loads(line) for line in gw.ctl("--json", "ca", "log", *words).splitlines()]
    return lines[:-1], lines[-1]


def counters(gw):
    return gw.show("counters")[0]


# ---- what must not be

def test_a_changed_register_is_found_with_its_place(own_gateway, lab):
    gw = own_gateway(policy(lab, workers="1"))
    for name in ("cdn.example", "files.example", "www.school.example"):
        lab.curl("agent", f"https://{name}/hello")
    gw.stop()
    lines = register(gw).read_bytes().splitlines(keepends=True)
    assert len(lines) >= 2
    status, out, _ = gw.ctl_run("ca", "log")
    assert status == 0 and "whole: " in out
    register(gw).write_bytes(lines[0].replace(b".example", b".examples", 1) + b"".join(lines[1:]))
    status, _, err = gw.ctl_run("ca", "log")
    assert status == 1 and "000001.jsonl, line 2: this entry does not follow the one before it" in err, err
    register(gw).write_bytes(b"".join(lines[1:]) + lines[0])
    status, out, _ = gw.ctl_run("--json", "ca", "log")
    assert status == 1 and json.loads(out.splitlines()[-1])["broken"]["file"] == "000001.jsonl"
    register(gw).unlink()
    status, _, err = gw.ctl_run("ca", "log")
    assert status == 1 and "there is no register of leaves" in err


def test_words_that_are_none(gw):
    for words in (["--name"], ["--name", "a b"], ["--last", "x"], ["--what"]):
        status, _, err = gw.ctl_run("ca", "log", *words)
        assert status == 1 and "cannot read these words" in err, words


def test_without_room_for_the_register_no_leaf(own_gateway, lab):
    """threats.md row 115: the disk is full. Names with a leaf go on, others are refused with the reason, and there is an alarm."""
    gw = own_gateway(policy(lab, workers="1"), start=False)
    (gw.state / "leaves").mkdir(mode=0o700)
    space = lab.gateway_space
    space.run("mount", "-t", "tmpfs", "-o", "size=4k", "none", gw.state / "leaves")
    try:
        gw.start()
        reason = None
        for i in range(40):
            if lab.curl("agent", f"https://n{i}.cdn.example/hello", "--resolve", f"n{i}.cdn.example:443:{SITES['cdn.example'].v4}",
                        "--insecure").status == 0:
                reason = gw.event(event_type="flow", perron__reason="mint", perron__detail="leaf-register")
                break
        assert reason, gw.said()
        assert "alarm: no leaf is given out: the register of leaves cannot be written: No space left on device" in gw.said()
        wait_for("the count", lambda: counters(gw)["leaves_errno"] == 28, 3)
    finally:
        gw.stop()
        space.run("umount", gw.state / "leaves")


# ---- what must be

def test_a_thousand_hellos_for_one_new_name_cost_one_mint(own_gateway, lab):
    """All at the same moment, before there is any leaf; threats.md row 103."""
    gw = own_gateway(policy(lab, workers="1"))
    hello = client_hello("cdn.example")
    socks = [lab.connect("agent", SITES["cdn.example"].v4, 443) for _ in range(1000)]
    for s in socks:
        s.sendall(hello)
    answered = sum(s.recv(3)[:1] == b"\x16" for s in socks)     # a ServerHello
    for s in socks:
        s.close()
    assert answered == 1000
    assert counters(gw)["leaf_mints"] == 1
    assert counters(gw)["leaf_joined"] + counters(gw)["leaf_hits"] == 999
    assert [e["names"] for e in entries(gw)[0]] == [["cdn.example"]]


def test_the_register_has_what_the_client_saw(own_gateway, lab, tmp_path):
    """threats.md row 51: exactly the name asked for, a random serial, in the origin's dates."""
    gw = own_gateway(policy(lab))
    said = lab.clients_space.run("openssl", "s_client", "-connect", f"{SITES['cdn.example'].v4}:443", "-servername", "cdn.example",
                                 input=b"")
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", said, re.S).group(0)
    der = ssl.PEM_cert_to_DER_cert(pem)
    (tmp_path / "leaf.pem").write_text(pem)
    text = lab.clients_space.run("openssl", "x509", "-in", tmp_path / "leaf.pem", "-noout", "-serial", "-fingerprint", "-sha256")
    found, whole = entries(gw, "--name", "cdn.example")
    assert len(found) == 1 and whole["ok"] and whole["found"] == 1
    assert found[0]["serial"].upper() in text
    assert found[0]["sha256"].upper() in text.replace(":", "")
    assert len(der) > 300 and found[0]["names"] == ["cdn.example"]
    assert len(found[0]["ca"]) == 16 and found[0]["worker"] in (0, 1)


def test_was_a_leaf_ever_made_for_it(own_gateway, lab):
    """threats.md row 134."""
    gw = own_gateway(policy(lab))
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    for question, times in (("cdn.example", 1), ("CDN.Example.", 1), ("*.example", 1), ("*.cdn.example", 0), ("bank.example", 0),
                            ("*.bank.example", 0), ("192.0.2.1", 0)):
        found, whole = entries(gw, "--name", question)
        assert len(found) == whole["found"] == times, question
    assert gw.ctl("ca", "log", "--name", "*.bank.example").startswith("never: 0 of ")


def test_nothing_is_lost_whoever_is_killed(own_gateway, lab):
    """kill -9 of the signer, of a worker and of the whole gateway: each leaf that a client saw is there, the chain whole."""
    gw = own_gateway(policy(lab, workers="1"))
    seen = []
    for i, (victim, name) in enumerate((("signer", "cdn.example"), ("worker", "files.example"), ("master", "www.school.example"),
                                        (None, "cdn.example"))):
        assert lab.curl("agent", f"https://{name}/hello").status in (200, 404), (i, gw.said())
        seen.append(name)
        if victim == "master":
            gw.kill(gw.proc.pid)
            gw.proc.wait(5)
            gw.start()
        elif victim:
            pid = gw.pids(victim)[0]
            gw.kill(pid)
            wait_for(f"another {victim}", lambda v=victim, p=pid: gw.ready() and gw.pids(v)[0] != p, 5)
    found, whole = entries(gw)
    assert whole["ok"] and whole["torn"] == 0 and whole["first"] == 1
    assert {n for e in found for n in e["names"]} >= set(seen)
    assert whole["entries"] == len(found) >= 4


def test_a_line_that_a_power_cut_left_is_no_break(own_gateway, lab):
    """threats.md row 129."""
    gw = own_gateway(policy(lab, workers="1"))
    lab.curl("agent", "https://cdn.example/hello")
    gw.stop()
    whole = register(gw).read_bytes()
    register(gw).write_bytes(whole + whole.splitlines()[0][:150])
    gw.start()
    assert "the last line of the register of leaves was cut short" in gw.said()
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    found, said = entries(gw)
    assert said["ok"] and said["torn"] == 1 and len(found) == 2


def test_the_signer_cannot_take_anything_back(own_gateway):
    """Its descriptor is for appending, and it has none for reading."""
    gw = own_gateway()
    pid = gw.pids("signer")[0]
    open_files = {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    ours = [fd for fd, path in open_files.items() if "/leaves/" in path]
    assert len(ours) == 1
    with open(f"/proc/{pid}/fdinfo/{ours[0]}") as f:
        flags = int(re.search(r"flags:\s+(\d+)", f.read()).group(1), 8)
    assert flags & os.O_APPEND and flags & os.O_ACCMODE == os.O_WRONLY


def test_the_logger_has_the_register_on_disk_within_a_second(own_gateway, lab):
    """By a descriptor for reading: it can add nothing. When it syncs is in synced_t."""
    gw = own_gateway()
    pid = gw.pids("logger")[0]
    ours = [fd for fd in os.listdir(f"/proc/{pid}/fd") if "/leaves/" in os.readlink(f"/proc/{pid}/fd/{fd}")]
    assert len(ours) == 1
    with open(f"/proc/{pid}/fdinfo/{ours[0]}") as f:
        assert int(re.search(r"flags:\s+(\d+)", f.read()).group(1), 8) & os.O_ACCMODE == os.O_RDONLY
    gw.kill(pid)   # the next one gets it too
    wait_for("another logger", lambda: gw.pids("logger") not in ([], [pid]) and gw.ready(), 10)
    lab.curl("agent", "https://cdn.example/hello")
    pid = gw.pids("logger")[0]
    assert [fd for fd in os.listdir(f"/proc/{pid}/fd") if "/leaves/" in os.readlink(f"/proc/{pid}/fd/{fd}")]
    assert "not on disk" not in gw.said() and "the sandbox refused" not in gw.said()


def test_another_logger_has_the_file_before_too(own_gateway):
    """Its last lines may be the ones that the logger before had not synced yet."""
    gw = own_gateway(start=False)
    (gw.state / "leaves").mkdir(mode=0o700)
    for n in (1, 2, 3):
        (gw.state / "leaves" / f"{n:06}.jsonl").touch(mode=0o600)
    gw.start()

    def files(pid):
        there = (os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
        return sorted(path.rsplit("/", 1)[1] for path in there if "/leaves/" in path)

    pid = gw.pids("logger")[0]
    assert files(pid) == ["000002.jsonl", "000003.jsonl"]
    gw.kill(pid)
    wait_for("another logger", lambda: gw.pids("logger") not in ([], [pid]) and gw.ready(), 10)
    assert files(gw.pids("logger")[0]) == ["000002.jsonl", "000003.jsonl"]


def test_counts_of_the_signer_survive_it(own_gateway, lab):
    gw = own_gateway(policy(lab, workers="1"))
    lab.curl("agent", "https://cdn.example/hello")
    wait_for("the count", lambda: counters(gw)["leaves_made"] == 1, 3)
    pid = gw.pids("signer")[0]
    gw.kill(pid, signal.SIGKILL)
    wait_for("another signer", lambda: gw.ready() and gw.pids("signer")[0] != pid, 5)
    lab.curl("agent", "https://files.example/hello")
    wait_for("both", lambda: counters(gw)["leaves_made"] == 2, 3)


def test_many_names_at_once_recycle_their_certificates(own_gateway, lab):
    """More names than objects in reserve: each client still gets its own name."""
    gw = own_gateway(policy(lab, workers="1"))
    wrong = []

    def ask(i):
        name = f"n{i}.recycled.example"
        context = ssl.create_default_context(cafile=str(gw.root_pem()))
        try:
            with context.wrap_socket(lab.connect("agent", SITES["cdn.example"].v4, 443), server_hostname=name) as s:
                if s.getpeercert()["subjectAltName"] != (("DNS", name),):
                    wrong.append(name)
        except OSError as e:
            wrong.append(f"{name}: {e}")

    for start in range(0, 300, 20):
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(start, start + 20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not wrong, wrong[:3]
    assert len(entries(gw, "--name", "*.recycled.example")[0]) == 300
