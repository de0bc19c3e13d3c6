"""The CRL pointer that stands in every leaf, also where the policy does not say `crl`: fetched as clients do, from every
kind of zone, without DNS, and good enough for a check of the leaf."""
import re

import pytest

from gateway import POLICY, policy
from sites import SITES
from space import wait_for

NOWHERE = "http://192.0.2.222/perron.crl"      # policy/check_crl.c
PROXY = "http://10.32.0.1:3128"
UNSAID = re.sub(r'crl +".*"\n', "", POLICY)
TRANSPARENT = re.sub(r"listen +explicit.*\n", "", UNSAID)
EXPLICIT = re.sub(r"listen +transparent.*\n", "", UNSAID)
ANYWHERE = re.sub(r"(listen +explicit +)\S+:3128\n", r"\1:3128\n", EXPLICIT, count=1).replace(
    "listen    explicit     [fd10:32::1]:3128\n", "")


def leaf_of(lab, tmp_path, proxy=None, name="cdn.example"):
    """The leaf for a host, the CRL pointer in it, and the issuing certificate below it."""
    to = ["-connect", f"{SITES[name].v4}:443"] if proxy is None else ["-proxy", proxy, "-connect", f"{name}:443"]
    said = lab.clients_space.run("openssl", "s_client", *to, "-servername", name, "-showcerts", input=b"")
    leaf, issuing = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", said, re.S)[:2]
    (tmp_path / "leaf.pem").write_text(leaf)
    (tmp_path / "issuing.pem").write_text(issuing)
    text = lab.clients_space.run("openssl", "x509", "-in", tmp_path / "leaf.pem", "-noout", "-ext", "crlDistributionPoints")
    return re.search(r"URI:(\S+)", text).group(1)


def verify(lab, gw, tmp_path):
    return lab.clients_space.run("openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", tmp_path / "crl.pem",
                                 "-CAfile", gw.root_pem(), "-untrusted", tmp_path / "issuing.pem", tmp_path / "leaf.pem")


def fetch(lab, who, url, tmp_path, **kw):
    """As curl gets it from where this person sits."""
    a = lab.curl(who, url, **kw)
    assert (a.status, a.headers.get("content-type")) == (200, "application/pkix-crl"), (who, url, a.status, a.error)
    (tmp_path / "crl.der").write_bytes(a.body)
    lab.clients_space.run("openssl", "crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-out", tmp_path / "crl.pem")


def own_flows(lab):
    return int(re.search(r"packets (\d+)", lab.gateway_space.run("nft", "list", "counter", "inet", "perron", "own_flows"))
               .group(1))


# ---- what is not answered

def test_the_pointers_address_is_no_door(lab, own_gateway):
    gw = own_gateway(policy(lab, text=TRANSPARENT))
    for url in ("http://192.0.2.222/", "http://192.0.2.222/perron.crl/x", "http://cdn.example/perron.crl",
                "http://192.0.2.222:443/perron.crl"):
        a = lab.curl("agent", url, "--max-time", "2")
        assert a.headers.get("content-type") != "application/pkix-crl", url
    assert gw.running()


# ---- in every zone

def test_transparent_clients_reach_it_at_an_address_of_nobody(lab, own_gateway, tmp_path):
    gw = own_gateway(policy(lab, text=TRANSPARENT))
    url = leaf_of(lab, tmp_path)
    assert url == NOWHERE
    before = own_flows(lab)
    for who in ("pupil", "agent", "guest"):    # the guests' zone is `ca none`
        fetch(lab, who, url, tmp_path)
        assert verify(lab, gw, tmp_path).strip().endswith("leaf.pem: OK")
    out = lab.clients_space.run("openssl", "crl", "-in", url, "-noout", "-issuer")
    assert "issuer" in out
    assert own_flows(lab) == before, "nothing of it leaves upstream"
    assert lab.curl("stranger", url, "--max-time", "3").status == 0


def test_openssl_fetches_it_by_itself_and_is_content(lab, own_gateway):
    gw = own_gateway(policy(lab, text=TRANSPARENT))
    said = lab.clients_space.run("openssl", "s_client", "-connect", f"{SITES['cdn.example'].v4}:443", "-servername",
                                 "cdn.example", "-CAfile", gw.root_pem(), "-verify_return_error", "-x509_strict",
                                 "-crl_check", "-crl_download", "-brief", input=b"")
    assert "Verification: OK" in said, said


def test_with_other_diverted_ports_the_pointer_has_one_of_them(lab, own_gateway, tmp_path):
    gw = own_gateway(policy(lab, text=TRANSPARENT, settings="divert tcp 443"))
    url = leaf_of(lab, tmp_path)
    assert url == "http://192.0.2.222:443/perron.crl"
    for who in ("pupil", "guest"):
        fetch(lab, who, url, tmp_path)
        assert verify(lab, gw, tmp_path).strip().endswith("leaf.pem: OK")


@pytest.mark.parametrize("text", [EXPLICIT, UNSAID], ids=["explicit-only", "both"])
def test_an_explicit_listeners_own_address_is_the_pointer(lab, own_gateway, tmp_path, text):
    gw = own_gateway(policy(lab, text=text))
    url = leaf_of(lab, tmp_path, PROXY.removeprefix("http://"))
    assert url == "http://10.32.0.1:3128/perron.crl"
    for who, proxy in (("agent", None), ("agent", PROXY), ("guest", None), ("guest", PROXY)):
        fetch(lab, who, url, tmp_path, proxy=proxy)
        assert verify(lab, gw, tmp_path).strip().endswith("leaf.pem: OK")
    assert "issuer" in lab.clients_space.run("openssl", "crl", "-in", url, "-noout", "-issuer")


def test_a_proxy_without_an_address_of_its_own_answers_for_nobody(lab, own_gateway, tmp_path):
    gw = own_gateway(policy(lab, text=ANYWHERE))
    url = leaf_of(lab, tmp_path, PROXY.removeprefix("http://"))
    assert url == NOWHERE
    for who in ("agent", "guest"):
        fetch(lab, who, url, tmp_path, proxy=PROXY)
        assert verify(lab, gw, tmp_path).strip().endswith("leaf.pem: OK")


# ---- changed while it runs

def test_a_reload_changes_the_pointer_also_of_cached_leaves(lab, own_gateway, tmp_path):
    gw = own_gateway(policy(lab, text=TRANSPARENT, workers="1"))
    assert leaf_of(lab, tmp_path) == NOWHERE
    for line, url in (('crl "http://192.0.2.223/our.crl"', "http://192.0.2.223/our.crl"), ("", NOWHERE)):
        status, said = gw.reload(policy(lab, text=TRANSPARENT, settings=line, workers="1"))
        assert status == 0, said
        wait_for("leaves with the new pointer", lambda u=url: leaf_of(lab, tmp_path) == u, 5)
        fetch(lab, "agent", url, tmp_path)
        assert verify(lab, gw, tmp_path).strip().endswith("leaf.pem: OK")
