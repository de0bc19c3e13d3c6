"""What testssl.sh finds on the side that clients see (threats.md rows 48 and 49), our CA given by --add-ca. What may be found
about the certificate, and why, stands in README."""
import json
import shutil
import subprocess

import pytest

from sites import SITES

HOST = "cdn.example"
SECTIONS = ["--protocols", "--standard", "--pfs", "--server-preference", "--server-defaults", "--vulnerable", "--cipher-per-proto"]
NOT_BAD = {"OK", "INFO", "LOW", "DEBUG"}
EXPLAINED = {"cert_expirationStatus", "cert_notAfter", "engine_problem"}    # in README, one paragraph each


@pytest.fixture(scope="module")
def findings(lab, gw, tmp_path_factory):
    if not shutil.which("testssl"):
        pytest.skip("testssl.sh is not installed")
    out = tmp_path_factory.mktemp("testssl") / "out.json"
    cmd = lab.clients_space.enter("testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--openssl",
                                  "/usr/bin/openssl", "--add-ca", gw.root_pem(), "--ip", SITES[HOST].v4, "--jsonfile", out,
                                  *SECTIONS, f"{HOST}:443")
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=600, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-3000:]
    return {row["id"]: row for row in json.loads(out.read_text())}


def test_it_has_looked_at_all(findings):
    for name in ("SSLv2", "TLS1_3", "heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS",
                 "POODLE_SSL", "fallback_SCSV", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4",
                 "cert_chain_of_trust"):
        assert name in findings, name


def test_nothing_above_low_but_what_is_explained(findings):
    bad = {name: row for name, row in findings.items() if row["severity"] not in NOT_BAD}
    assert set(bad) <= EXPLAINED, {n: (r["severity"], r["finding"]) for n, r in bad.items() if n not in EXPLAINED}


def test_what_clients_get(findings):
    says = {name: findings[name]["finding"] for name in ("TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "cert_chain_of_trust")}
    assert says["TLS1"] == says["TLS1_1"] == "not offered"
    assert "offered" in says["TLS1_2"] and "offered" in says["TLS1_3"]
    assert says["cert_chain_of_trust"].startswith("passed"), says    # by our CA, which it was given
