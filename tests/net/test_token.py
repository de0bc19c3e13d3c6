"""The CA key in a token (SoftHSM2 behind OpenSSL's engine): what is wrong with it is said in one line, what goes away while it
runs is a signer that is down, and no PIN is tried twice."""
import os
import re

import pytest

from gateway import POLICY, policy
from softhsm import SIGNER_UID, Token
from space import wait_for
from test_ca_key import one_line, start_fails

UNSAID = re.sub(r'crl +".*"\n', "", POLICY)


@pytest.fixture
def token(lab):
    folder = lab.folder / f"token-{len(list(lab.folder.glob('token-*')))}"
    return Token(folder)


@pytest.fixture
def idle(lab, own_gateway, token):
    """A gateway whose issuing key is in the token; not started."""
    token.key()
    gw = lab.gateway(policy(lab, text=UNSAID, workers="1"), start=False, fresh_ca=True)
    gw.state.joinpath("ca").rename(gw.state / "ca-of-the-fixture")
    gw.ctl("ca", "init", "--org", "Province de Demonstration", *token.words())
    yield gw
    gw.stop()


# ---- making one

def test_words_that_are_wrong(lab, own_gateway, token):
    gw = lab.gateway(policy(lab), start=False, fresh_ca=True)
    gw.state.joinpath("ca").rename(gw.state / "ca-of-the-fixture")
    token.key()
    tail = f"?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:{token.pin}"
    for uri, says in ((f"file:/x{tail}", "uri takes an address pkcs11:"),
                      ("pkcs11:token=perron;object=issuing", "module-path=/PATH is missing"),
                      ("pkcs11:token=perron;object=issuing?module-path=/m", "pin-source=file:/PATH is missing"),
                      ("pkcs11:token=perron?pin-value=4711", "a PIN never stands in an address"),
                      (f"pkcs11:token=perron;object=issuing{tail}&x=y", "only module-path=/PATH and pin-source"),
                      (f"pkcs11:token=nobody;object=issuing{tail}", "the token is not there, or has no such private key"),
                      (f"pkcs11:token=perron;object=nothing{tail}", "the token is not there, or has no such private key"),
                      (f"pkcs11:token=perron;object=issuing{tail}x", "the token's PIN: No such file")):
        status, _, err = gw.ctl_run("ca", "init", "--org", "X", "--token", uri, "--token-env", f"SOFTHSM2_CONF={token.conf}")
        assert status == 1 and says in err and err.count("\n") == 1, (uri, err)
        assert not (gw.state / "ca").exists()
    status, _, err = gw.ctl_run("ca", "init", "--org", "X", "--token", token.uri(), "--token-env", "LD_PRELOAD=/x.so")
    assert status == 1 and "nothing for the dynamic linker" in err


# ---- starting with one

def test_the_token_is_not_there(idle, token):
    token.take_away()
    one_line(start_fails(idle), "the token is not there: No such file or directory")


def test_the_token_is_empty(idle, token):
    token.take_away()
    token.tokens.mkdir()
    token.give()
    one_line(start_fails(idle), "the token is not there, or has no such private key for this user")


def test_a_token_that_is_not_the_signers(idle, token):
    for at, folders, files in os.walk(token.tokens):
        for name in [at, *(os.path.join(at, n) for n in folders + files)]:
            os.chown(name, 0, 0)
    one_line(start_fails(idle), "the token is not there, or has no such private key for this user")


def test_the_pin_is_wrong(idle, token):
    token.write_pin("9999")
    one_line(start_fails(idle), "the token refuses the PIN")


def test_the_pin_is_for_all_to_read(idle, token):
    token.pin.chmod(0o444)
    one_line(start_fails(idle), "the token's PIN: its mode is 0444, it must be 0400 or 0600")


def test_a_module_that_others_can_write(idle, token):
    module = token.folder / "module.so"
    module.write_bytes(b"x")
    module.chmod(0o666)
    spec = idle.state / "ca" / "issuing.token"
    text = spec.read_text()
    spec.chmod(0o600)
    spec.write_text(re.sub(r"module-path=[^&]+", f"module-path={module}", text))
    one_line(start_fails(idle), "the token's module must be a file of root that nobody else can write")


def test_another_key_than_the_certificates(idle, token):
    """threats.md row 130: only the signer can see it."""
    token.key("other")
    spec = idle.state / "ca" / "issuing.token"
    spec.chmod(0o600)
    spec.write_text(spec.read_text().replace("object=issuing", "object=other"))
    one_line(start_fails(idle), "the token's key does not belong to the issuing CA's certificate")


# ---- running with one

def test_leaves_are_signed_in_the_token(idle, lab):
    """threats.md row 121: the key is in no file and in no memory of ours."""
    gw = idle.start()
    assert not (gw.state / "ca" / "issuing.key").exists()
    for name in ("cdn.example", "files.example"):
        assert lab.curl("agent", f"https://{name}/hello").status in (200, 404), gw.said()
    assert "its key is in a token" in gw.ctl("ca", "show")
    wait_for("the CRL", lambda: lab.curl("agent", "http://10.32.0.1:3128/perron.crl").status == 200, 5)


def test_what_the_signer_may_with_a_token(idle, token):
    """The second profile: the token's folder and nothing else; the worker's is as ever."""
    gw = idle.start()
    pid = gw.pids("signer")[0]
    with open(f"/proc/{pid}/status") as f:
        status = f.read()
    assert re.search(rf"Uid:\s+{SIGNER_UID}", status) and re.search(r"Seccomp:\s+2", status)
    assert re.search(r"CapEff:\s+0+$", status, re.M) and re.search(r"NoNewPrivs:\s+1", status)
    for path in (f"/proc/{pid}/cmdline", f"/proc/{pid}/environ"):
        with open(path, "rb") as f:
            assert b"4711" not in f.read()


def test_a_token_that_goes_away_and_comes_back(idle, token, lab):
    """As any signer that is down: hosts with a leaf go on, others are told after 2 s; and all is well once it is back."""
    gw = idle.start()
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    token.take_away()
    assert lab.curl("agent", "https://files.example/hello").status != 200
    assert "alarm: the token with the CA key does not sign any more" in gw.said(), gw.said()
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    assert gw.event(event_type="flow", perron__reason="signer-down")
    assert gw.running()
    token.put_back()
    wait_for("leaves again", lambda: lab.curl("agent", "https://files.example/hello").status == 200, 20)
    assert "broken" not in gw.ctl("ca", "log")


def test_a_refused_pin_is_not_tried_again(idle, token, lab):
    """A token locks itself after some wrong ones: a signer that is replaced must not use them up."""
    gw = idle.start()
    token.write_pin("9999")
    pid = gw.pids("signer")[0]
    gw.kill(pid)
    wait_for("the alarm", lambda: "is not tried again before the file with it is another one" in gw.said(), 5)
    wait_for("a while", lambda: lab.curl("agent", "https://cdn.example/hello").status != 200, 5)
    assert gw.said().count("the token refuses the PIN") == 1
    token.write_pin("4711")
    wait_for("leaves again", lambda: lab.curl("agent", "https://cdn.example/hello").status == 200, 20)
    assert gw.said().count("the token refuses the PIN") == 1
