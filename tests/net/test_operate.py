"""What an operator does: start (and what is refused), reload, look inside, provoke a failure, wrong command lines."""
import json
import os
import re
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import BUILD, policy
from space import wait_for

PROXY = "http://10.32.0.1:3128"


def run(gw, *words):
    """(exit status, standard error) of a perrond that must end by itself."""
    done = subprocess.run(gw.lab.gateway_space.enter(BUILD / "perrond", *words), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=30, check=False)
    return done.returncode, done.stderr.decode()


def refused(gw, *words):
    """The one clear line with which a start is refused; nothing is left running or open."""
    status, said = run(gw, "-f", gw.file, "-d", gw.state, "--log-dir", gw.logs, *words)
    assert status == 1, said
    plain = [line for line in said.splitlines() if not re.match(r"^\d{4}-\d\d-\d\dT", line)]
    logged = [line for line in said.splitlines() if re.match(r"^\S+ [\w ]+: (error|warning): ", line)]
    clear = plain + logged
    assert len(clear) == 1, said
    assert not (gw.state / "control").exists()
    assert "perron" not in gw.lab.gateway_space.run("nft", "list", "tables")
    return clear[0]


@pytest.fixture
def idle(own_gateway):
    """A gateway that is set up and not started."""
    return own_gateway(start=False)


# ---- starts that are refused

def test_a_missing_key_is_refused(idle):
    (idle.state / "ca" / "issuing.key").unlink()
    assert "issuing.key" in refused(idle)


def test_a_key_readable_by_others_is_refused(idle):
    (idle.state / "ca" / "issuing.key").chmod(0o644)
    assert "issuing.key" in refused(idle)


def test_a_key_of_another_owner_is_refused(idle):
    os.chown(idle.state / "ca" / "issuing.key", 1234, 0)
    assert "issuing.key" in refused(idle)


def test_a_key_that_does_not_match_is_refused(idle, tmp_path):
    key = idle.state / "ca" / "issuing.key"
    other = subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout"], capture_output=True,
                           check=True).stdout
    other = subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt"], input=other, capture_output=True,
                           check=True).stdout
    st = key.stat()
    key.write_bytes(other)
    os.chown(key, st.st_uid, st.st_gid)
    key.chmod(0o400)
    assert "does not belong to its certificate" in refused(idle)


def test_an_expired_ca_is_refused(idle):
    assert "expired" in refused(idle, "--clock", "2060-01-01T00:00:00Z")


def test_no_ca_at_all_is_refused_with_the_remedy(idle):
    shutil.rmtree(idle.state / "ca")
    assert "perronctl ca init" in refused(idle)


def test_a_missing_trust_bundle_is_refused(idle):
    idle.write(re.sub(r'trust +".*"', 'trust "/none/at/all.pem"', idle.file.read_text()))
    status, said = run(idle, "-f", idle.file, "-d", idle.state)
    assert status == 1 and "site.policy:6:7: error: " in said and "/none/at/all.pem" in said, said


def test_a_trust_bundle_without_certificates_is_refused(idle):
    empty = idle.folder / "empty.pem"
    empty.write_text("nothing\n")
    idle.write(re.sub(r'trust +".*"', f'trust "{empty}"', idle.file.read_text()))
    status, said = run(idle, "-f", idle.file, "-d", idle.state)
    assert status == 1 and "trust" in said


def test_a_missing_policy_is_refused(idle):
    idle.file.unlink()
    assert "site.policy" in refused(idle)


def test_a_wrong_policy_is_refused_with_a_caret(idle):
    idle.write(idle.file.read_text() + "\nblokc any\n")
    status, said = run(idle, "-f", idle.file, "-d", idle.state)
    assert status == 1
    assert re.search(r"site\.policy:\d+:1: error: ", said) and "^" in said, said


def test_a_port_that_is_taken_is_refused(idle):
    gw = idle
    with gw.lab.gateway_space:
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)    # as servers do: old connections may still linger
        taken.bind(("10.32.0.1", 3128))
        taken.listen()
    with taken:
        line = refused(gw)
    assert "10.32.0.1" in line and "3128" in line and "another program" in line


def test_an_interface_that_is_not_there_is_refused(idle):
    idle.write(idle.file.read_text().replace("zone  lan      network", "zone  lan      interface lan9  network"))
    assert "no interface lan9" in refused(idle)


def test_an_address_that_is_not_there_is_refused(idle):
    idle.write(idle.file.read_text().replace("10.32.0.1:3128", "10.99.0.1:3128"))
    assert "10.99.0.1" in refused(idle)


def test_a_second_gateway_on_the_same_state_is_refused(own_gateway):
    gw = own_gateway()
    status, said = run(gw, "-f", gw.file, "-d", gw.state)
    assert status == 1 and "another perrond" in said and "-d" in said
    assert gw.lab.curl("agent", "https://cdn.example/small.bin").status == 200


def test_a_second_gateway_with_another_state_cannot_take_the_same_port(own_gateway):
    gw = own_gateway()
    other = gw.folder / "other"
    shutil.copytree(gw.state, other, ignore=shutil.ignore_patterns("control", "log"))
    for path in gw.state.rglob("*"):
        copy = other / path.relative_to(gw.state)
        if copy.exists():
            os.chown(copy, path.stat().st_uid, path.stat().st_gid)
    status, said = run(gw, "-f", gw.file, "-d", other)
    assert status == 1 and "another program listens there" in said, said


def test_perrond_by_another_user_is_refused(idle):
    status, said = run(idle, "--help")
    assert status == 0
    cmd = idle.lab.gateway_space.enter("setpriv", "--reuid=1234", "--clear-groups", BUILD / "perrond", "-f",
                                       idle.file, "-d", idle.state)
    done = subprocess.run(cmd, capture_output=True, timeout=20, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("words,says", [
    ((), "-f"), (("-f",), "value is missing"), (("--frobnicate",), "unknown option --frobnicate"),
    (("-f", "x", "y"), "unexpected y"), (("-f", "x", "--clock", "noon"), "--clock"),
    (("-f", "x", "--node", "32"), "--node"), (("--role", "king"), "--role")])
def test_wrong_command_lines_of_perrond(idle, words, says):
    status, said = run(idle, *words)
    assert status == 1 and len(said.splitlines()) == 1 and says in said, said


def test_check_only(idle):
    assert run(idle, "-n", "-f", idle.file)[0] == 0
    idle.write("blokc any\n")
    status, said = run(idle, "-n", "-f", idle.file)
    assert status == 1 and "^" in said


# ---- reload

def blocks(name):
    return f'  block category banking for agents\n' if name == "bank" else f"  block category {name} for agents\n"


def test_a_reload_changes_the_verdict_and_nothing_else(own_gateway, lab):
    gw = own_gateway()
    pids = gw.pids()
    assert lab.curl("agent", "https://video.example/hello").status == 200
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(lab.curl, "agent", "https://files.example/big.bin", "--limit-rate", "16M")
        time.sleep(0.5)
        status, said = gw.reload(policy(lab, web="  block category streaming for agents"))
        assert status == 0 and "in force" in said, said
        assert lab.curl("agent", "https://video.example/hello").status == 403
        answer = slow.result()
    assert answer.exit_code == 0 and len(answer.body) == 64 << 20
    assert gw.pids() == pids


def test_a_wrong_file_changes_nothing_and_is_shown_with_a_caret(own_gateway, lab):
    gw = own_gateway()
    before = gw.show("counters")[0]["snapshot"]
    status, said = gw.reload(policy(lab, web="  blokc category streaming for agents"))
    assert status == 1
    assert re.search(r"site\.policy:\d+:\d+: error: ", said) and "^" in said and "nothing has changed" in said, said
    assert lab.curl("agent", "https://video.example/hello").status == 200
    assert gw.show("counters")[0]["snapshot"] == before


def test_every_load_and_refusal_is_in_the_log(own_gateway, lab):
    gw = own_gateway()
    old = gw.show("counters")[0]["snapshot"]
    gw.reload(policy(lab, web="  blokc"))
    gw.reload(policy(lab, web="  block category streaming for agents"))
    new = gw.show("counters")[0]["snapshot"]
    rows = wait_for("three events", lambda: (lambda e: e if len(e) == 3 else None)(gw.events(event_type="engine")), 5)
    first, second, third = (r["perron"] for r in rows)
    assert (first["outcome"], second["outcome"], third["outcome"]) == ("loaded", "refused", "loaded")
    assert all(r["who"] == "uid 0" and r["file"].endswith("site.policy") for r in (first, second, third))
    assert "old" not in first and first["new"].startswith(old)
    assert second["old"].startswith(old) and "new" not in second
    assert third["old"].startswith(old) and third["new"].startswith(new) and old != new
    assert [r["seq"] for r in (first, second, third)] == [1, 2, 3]


def test_a_listener_that_cannot_be_opened_refuses_the_whole_reload(own_gateway, lab):
    gw = own_gateway()
    status, said = gw.reload(policy(lab, web="  block category streaming for agents",
                                    settings="listen explicit 10.99.0.1:8080"))
    assert status == 1 and "10.99.0.1" in said
    assert lab.curl("agent", "https://video.example/hello").status == 200


def test_listeners_come_and_go_by_reload(own_gateway, lab):
    """A removed one is closed, whoever came by it is served to the end; back again it is open again; other programs
    can have its port meanwhile, and then it is refused."""
    gw = own_gateway()
    here, there = policy(lab), policy(lab).replace("10.32.0.1:3128", "10.32.0.1:8080")
    url, old, new = "https://cdn.example/small.bin", "http://10.32.0.1:3128", "http://10.32.0.1:8080"
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(lab.curl, "agent", "https://files.example/big.bin", "--limit-rate", "12M", proxy=old)
        wait_for("the download", lambda: gw.show("flows"), 5)
        for _ in range(3):
            status, said = gw.reload(there)
            assert status == 0 and "restart" not in said, said
            assert lab.curl("agent", url, proxy=new).status == 200
            wait_for("the old port to close", lambda: lab.curl("agent", url, proxy=old).exit_code == 7, 5)
            status, said = gw.reload(here)
            assert status == 0, said
            assert lab.curl("agent", url, proxy=old).status == 200
            wait_for("the new port to close", lambda: lab.curl("agent", url, proxy=new).exit_code == 7, 5)
        assert slow.result().exit_code == 0
    assert gw.reload(there)[0] == 0 and gw.reload(here)[0] == 0 and gw.reload(there)[0] == 0
    wait_for("the old port to close", lambda: lab.curl("agent", url, proxy=old).exit_code == 7, 5)
    with lab.gateway_space, socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)    # as servers do: old connections may still linger
        taken.bind(("10.32.0.1", 3128))
        taken.listen()
        status, said = gw.reload(here)
        assert status == 1 and "another program listens there" in said, said
    assert gw.reload(here)[0] == 0
    wait_for("the new port to close", lambda: lab.curl("agent", url, proxy=new).exit_code == 7, 5)
    listening = lab.gateway_space.run("ss", "-Hltn").splitlines()
    assert sum("10.32.0.1:3128 " in line for line in listening) == 2 and not any(":8080 " in line for line in listening), listening


def test_resolvers_that_a_policy_no_longer_names_are_the_systems_again(own_gateway, lab):
    gw = own_gateway()
    nobody = policy(lab).replace("resolver  192.0.2.53", "resolver  192.0.2.99")
    assert gw.reload(nobody)[0] == 0
    assert lab.curl("agent", "https://files.example/hello", proxy=PROXY).status != 200
    assert gw.reload(nobody.replace("resolver  192.0.2.99\n", ""))[0] == 0
    wait_for("an answer", lambda: lab.curl("agent", "https://files.example/hello", proxy=PROXY).status == 200, 15)


def test_what_needs_a_restart_is_said(own_gateway, lab):
    gw = own_gateway()
    status, said = gw.reload(policy(lab, workers="1"))
    assert status == 0 and "`workers` needs a restart" in said
    assert len(gw.pids("worker")) == 2


def test_many_reloads_in_a_row_drop_nothing(own_gateway, lab):
    gw = own_gateway()
    pids = gw.pids()
    texts = [policy(lab), policy(lab, web="  block category streaming for agents"), "nonsense\n"]
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(lab.curl, "agent", "https://files.example/big.bin", "--limit-rate", "12M")
        for i in range(30):
            status, said = gw.reload(texts[i % 3])
            assert status == (1 if i % 3 == 2 else 0), said
        assert slow.result().exit_code == 0
    assert gw.pids() == pids
    fds = [len(os.listdir(f"/proc/{p}/fd")) for p in pids]
    for i in range(6):
        gw.reload(texts[i % 3])
    time.sleep(0.5)
    assert [len(os.listdir(f"/proc/{p}/fd")) for p in pids] == fds, "no descriptor is left behind by a reload"


def test_hangup_reloads(own_gateway, lab):
    import signal
    gw = own_gateway()
    gw.write(policy(lab, web="  block category streaming for agents"))
    os.kill(gw.pids("master")[0], signal.SIGHUP)
    wait_for("the new policy", lambda: lab.curl("agent", "https://video.example/hello").status == 403, 5)


# ---- looking inside

def test_show_processes_as_table_and_as_json(own_gateway):
    gw = own_gateway()
    table = gw.ctl("show", "processes").splitlines()
    assert table[0].split() == ["process", "pid", "uid", "state", "up", "restarts"]
    assert [line.split()[0] for line in table[1:]] == ["master", "signer", "logger", "keeper", "fetcher", "worker", "worker"]
    assert {r["process"]["role"] for r in gw.show("processes")} == {"master", "signer", "logger", "keeper", "fetcher", "worker"}


def test_show_flows_and_one_flow(own_gateway, lab):
    gw = own_gateway()
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(lab.curl, "agent", "https://files.example/big.bin", "--limit-rate", "12M")
        flow = wait_for("the flow", lambda: [f for a in gw.show("flows") for f in a["data"]
                                             if f.get("name") == "files.example" and f["state"] == "http"], 5)[0]
        assert "files.example" in gw.ctl("show", "flows")
        text = gw.ctl("show", "flow", str(flow["id"]))
        assert "trace" in text and "10.32.2.10" in text
        slow.result()
    status, _, err = gw.ctl_run("show", "flow", str(flow["id"]))
    assert status == 1 and "has ended" in err


def test_show_counters_adds_the_workers_up(own_gateway, lab):
    gw = own_gateway()
    for _ in range(6):
        assert lab.curl("agent", "http://plain.example/").status == 200
    counters = gw.show("counters")[0]
    assert counters["flows"] == 6 and counters["exchanges"] == 6 and counters["workers"] == 2


@pytest.mark.parametrize("words,says", [
    ((), "what?"), (("frob",), "unknown command frob"), (("show",), "processes"), (("show", "frob"), "frob"),
    (("show", "flow", "x"), "no number"), (("reload", "/none"), "/none"), (("reload", "a", "b"), "unexpected"),
    (("check",), "which file"), (("check", "--frob"), "unexpected"), (("simulate",), "what?"),
    (("simulate", "frob"), "signer-down"), (("simulate", "signer-down", "--for", "x"), "cannot read"),
    (("ca",), "init"), (("ca", "init"), "--org"), (("ca", "init", "--org", "X"), "already"),
    (("ca", "export", "--for", "frob", "-o", "/tmp/x"), "firefox")])
def test_wrong_command_lines_of_perronctl(gw, words, says):
    status, out, err = gw.ctl_run(*words)
    assert status == 1 and says in err and len(err.splitlines()) == 1, (out, err)


def test_without_a_gateway_perronctl_says_so(idle):
    status, _, err = idle.ctl_run("show", "processes")
    assert status == 1 and "no gateway runs" in err and "-d" in err


def test_every_command_has_help(gw):
    for words in ([], ["check"], ["reload"], ["show"], ["ca"], ["simulate"]):
        assert "usage" in gw.ctl(*words, "--help")


def test_requests_that_are_none_close_only_that_client(own_gateway):
    import socket
    gw = own_gateway()
    for junk in (b"\n", b"[]\n", b"{}\n", b"\xff\xfe\n", b"x" * 20000, b'{"cmd":"show","what":"' + b"y" * 500 + b'"}\n',
                 b'{"cmd":"show","what":"counters"}\n{"cmd":"show"}\n', b'{"cmd":"reload","file":7}\n'):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(gw.state / "control"))
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    wait_for("the gateway", gw.ready, 5)
    assert json.loads(gw.ctl("--json", "show", "counters"))["workers"] == 2


def test_only_root_reaches_the_control_socket(own_gateway):
    gw = own_gateway()
    assert (gw.state / "control").stat().st_mode & 0o777 == 0o600
    assert (gw.state / "control").stat().st_uid == 0
