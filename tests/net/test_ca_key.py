"""The CA's files at a real start: each way in which they can be wrong ends it with one clear line and nothing half started;
and what the signer does with them once it runs.
"""
import os
import re
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

SIGNER_UID = 64801


def start_fails(gw):
    """Runs perrond until it ends; its lines of level error."""
    done = subprocess.run(gw.lab.gateway_space.enter(*gw.command()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=20, check=False)
    out = done.stdout.decode(errors="replace")
    assert done.returncode == 1, out
    assert not (gw.state / "control").exists(), "nothing may be half started"
    rules = gw.lab.gateway_space.run("nft", "list", "tables")
    assert "perron" not in rules
    return out


def one_line(out, says):
    """Exactly one line names the reason, and no other line is an error."""
    lines = [line for line in out.splitlines() if says in line]
    assert len(lines) == 1, out
    assert len([line for line in out.splitlines() if re.search(r"\berror\b", line)]) <= 1, out


@pytest.fixture
def idle(lab, own_gateway):
    """A gateway with a good CA that is not started; its files may be spoilt."""
    return lab.gateway(start=False)     # the laboratory forgets it at its end


@pytest.fixture
def key(idle):
    return idle.state / "ca" / "issuing.key"


def test_no_ca_at_all(idle):
    shutil.rmtree(idle.state / "ca")
    one_line(start_fails(idle), "perronctl ca init")


def test_key_missing(idle, key):
    key.unlink()
    one_line(start_fails(idle), "the CA key is missing")


def test_key_readable_by_others(idle, key):
    """threats.md rows 121 and 132."""
    key.chmod(0o644)
    one_line(start_fails(idle), "others can read it (mode 0644, must be 0400)")


def test_key_of_another_owner(idle, key):
    os.chown(key, 0, 0)
    one_line(start_fails(idle), f"it must belong to the signer's uid {SIGNER_UID}")


def test_directory_open_to_others(idle):
    (idle.state / "ca").chmod(0o755)
    one_line(start_fails(idle), "must be 0700")


def test_key_that_does_not_match(idle, key):
    """Only the signer can see this one, for only it reads the key."""
    other = ec.generate_private_key(ec.SECP256R1())
    key.chmod(0o600)
    key.write_bytes(other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()))
    key.chmod(0o400)
    one_line(start_fails(idle), "does not belong to its certificate")


def test_key_that_is_none(idle, key):
    key.chmod(0o600)
    key.write_bytes(b"not a key\n")
    key.chmod(0o400)
    one_line(start_fails(idle), "no readable private key")


def test_expired(idle):
    idle.clock = "2039-01-01T00:00:00Z"
    one_line(start_fails(idle), "issuing.crt: expired on 2031-")


def test_not_yet_valid(idle):
    idle.clock = "2020-01-01T00:00:00Z"
    one_line(start_fails(idle), "is this machine's clock right?")


def test_not_a_ca(idle):
    crt = idle.state / "ca" / "issuing.crt"
    crt.unlink()
    shutil.copy(next(idle.lab.folder.rglob("*expired*.crt"), None) or leaf_of(idle), crt)
    one_line(start_fails(idle), "issuing.crt: ")


def leaf_of(gw):
    """A certificate that is no CA."""
    path = gw.folder / "leaf.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                    "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "/dev/null", "-out", path],
                   check=True, capture_output=True)
    return path


def test_every_leaf_leaves_one_line(own_gateway, lab):
    gw = own_gateway()
    for _ in range(3):
        assert lab.curl("agent", "https://cdn.example/small.bin").status == 200
    lines = [line for line in gw.said().splitlines() if "leaf for cdn.example," in line]
    assert 1 <= len(lines) <= 2, gw.said()      # one for each worker that was asked
    assert all(re.search(r"signer: info: leaf for cdn\.example, asked by worker \d+$", line) for line in lines)


def test_the_signers_memory_is_locked(own_gateway):
    """threats.md row 131."""
    gw = own_gateway()
    with open(f"/proc/{gw.pids('signer')[0]}/status") as f:
        locked = int(re.search(r"VmLck:\s+(\d+) kB", f.read()).group(1))
    assert locked >= 256                        # OpenSSL's heap with the key at least
