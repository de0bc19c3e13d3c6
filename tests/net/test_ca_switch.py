"""From one CA to the next under a running gateway: clients that trust both notice nothing."""
import json
import os
import re
import shutil
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway import POLICY, policy
from pki import days, key_pem, new_key, pem, subject
from sites import SITES
from softhsm import Token
from space import end, wait_for

UNSAID = re.sub(r'crl +".*"\n', "", POLICY)
CDN = SITES["cdn.example"].v4


@pytest.fixture
def gw(lab, own_gateway):     # which stops the shared one
    gw = lab.gateway(policy(lab, text=UNSAID, workers="2"), fresh_ca=True)
    yield gw
    gw.stop()


def prepare(gw, *words):
    gw.ctl("ca", "prepare", "--org", "Province de Demonstration", *words)


def both_roots(gw):
    """A file that clients may trust, with the root in force and the prepared one."""
    path = gw.folder / "both.pem"
    gw.ctl("ca", "export", "--for", "pem", "--next", "-o", gw.folder / "next.pem")
    path.write_text(gw.root_pem().read_text() + (gw.folder / "next.pem").read_text())
    return path


def ca_ids(gw):
    """Which CA each entry of the register is from, in order."""
    lines = [json.loads(line) for line in gw.ctl("--json", "ca", "log", "--last", "0").splitlines()]
    assert lines[-1]["ok"]
    return [e["ca"] for e in lines[:-1]]


def leaf(lab, folder, what, name="cdn.example"):
    """The leaf for a name in folder/what.pem; the certificate below it in folder/what-issuing.pem; its CRL pointer."""
    said = lab.clients_space.run("openssl", "s_client", "-connect", f"{CDN}:443", "-servername", name, "-showcerts", input=b"")
    pems = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", said, re.S)[:2]
    (folder / f"{what}.pem").write_text(pems[0])
    (folder / f"{what}-issuing.pem").write_text(pems[1])
    text = lab.clients_space.run("openssl", "x509", "-in", folder / f"{what}.pem", "-noout", "-ext", "crlDistributionPoints")
    return re.search(r"URI:(\S+)", text).group(1)


def verify_with_crl(lab, folder, what, roots, url):
    a = lab.curl("agent", url)
    assert (a.status, a.headers.get("content-type")) == (200, "application/pkix-crl"), (url, a.status)
    (folder / "crl.der").write_bytes(a.body)
    lab.clients_space.run("openssl", "crl", "-inform", "DER", "-in", folder / "crl.der", "-out", folder / "crl.pem")
    return lab.clients_space.run("openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", folder / "crl.pem", "-CAfile", roots,
                                 "-untrusted", folder / f"{what}-issuing.pem", folder / f"{what}.pem")


def shown_keys(gw):
    """Fingerprints of all certificates that `ca show` names; the days that they have left change from one second to the next."""
    return re.findall(r'"sha256":"([0-9A-F:]{95})"', gw.ctl("--json", "ca", "show"))


# ---- what changes nothing

def test_without_a_prepared_one(gw):
    status, _, err = gw.ctl_run("ca", "switch")
    assert status == 1 and "no CA is prepared; `perronctl ca prepare` makes one" in err
    status, _, err = gw.ctl_run("ca", "switch", "--back", "../../etc")
    assert status == 1 and "an old CA is named by 16 digits" in err
    status, _, err = gw.ctl_run("ca", "switch", "--back", "0123456789abcdef")
    assert status == 1 and "No such file" in err


def test_one_that_is_wrong_stays_out(gw, lab):
    """Its key is another one's; its root's key is gone for --keep-root; there is one already."""
    prepare(gw)
    status, _, err = gw.ctl_run("ca", "prepare", "--org", "X")
    assert status == 1 and "there is a certification authority already" in err
    before = shown_keys(gw)
    assert before
    key = gw.state / "ca.next" / "issuing.key"
    owner = key.stat()
    key.unlink()
    shutil.copy(gw.state / "ca" / "root.key", key)
    os.chown(key, owner.st_uid, owner.st_gid)
    status, _, err = gw.ctl_run("ca", "switch")
    assert status == 1 and "does not belong to its certificate" in err, err
    assert shown_keys(gw) == before
    shutil.rmtree(gw.state / "ca.next")
    (gw.state / "ca" / "root.key").unlink()
    status, _, err = gw.ctl_run("ca", "prepare", "--org", "X", "--keep-root")
    assert status == 1 and "the root's key is not here" in err
    assert not (gw.state / "ca.next").exists()
    assert lab.curl("agent", "https://cdn.example/hello").status == 200


def test_the_compiler_sees_none_of_them(gw):
    """The compiler may read everywhere but in the CA's folders: it runs at every reload."""
    prepare(gw)
    gw.ctl("ca", "switch")
    prepare(gw)
    beside = gw.state / "cab"
    beside.mkdir()
    for folder in (gw.state / "ca", gw.state / "ca.next", next((gw.state / "ca.old").iterdir()), beside):
        file = folder / "more.policy"
        file.write_text("nonsense in a file\n")
        status, said = gw.reload(policy(gw.lab, text=POLICY + f'include "{file}"\n'))
        assert status != 0 and ("nonsense" in said) == (folder == beside), said
        assert folder == beside or "more.policy: the file cannot be opened" in said, said


def test_what_the_ca_may_not_vouch_for_stays_so(gw):
    """threats.md row 135: a change of the CA forgets no exclusion."""
    def excluded(folder):
        cert = x509.load_pem_x509_certificate((gw.state / folder / "issuing.crt").read_bytes())
        try:
            return sorted(n.value for n in cert.extensions.get_extension_for_class(x509.NameConstraints).value.excluded_subtrees)
        except x509.ExtensionNotFound:
            return []
    assert excluded("ca") == []
    for words, names in ((["--exclude", "intern.example"], ["intern.example"]), ([], ["intern.example"]),
                         (["--exclude", "bank.example"], ["bank.example", "intern.example"])):
        prepare(gw, *words)
        assert excluded("ca.next") == names
        gw.ctl("ca", "switch")


# ---- the switch

def test_a_switch_under_load_fails_no_connection(gw, lab):
    """threats.md row 138: new names and known ones, all the time; every handshake is verified against both roots."""
    prepare(gw)
    context = ssl.create_default_context(cafile=str(both_roots(gw)))
    stop, failed, done, issuers = threading.Event(), [], [0], set()

    def ask(me):
        n = 0
        while not stop.is_set():
            name = f"n{n}-{me}.switch.example" if n % 2 else "cdn.example"
            n += 1
            try:
                with lab.connect("agent", CDN, 443) as raw, context.wrap_socket(raw, server_hostname=name) as s:
                    issuers.add(dict(x[0] for x in s.getpeercert()["issuer"])["commonName"])
                    s.sendall(f"GET /hello HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                    if not s.recv(12).startswith(b"HTTP/1.1 "):
                        failed.append(f"{name}: no answer")
            except OSError as e:
                failed.append(f"{name}: {e}")
            done[0] += 1
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    wait_for("load", lambda: done[0] > 100, 10)
    said = gw.ctl("ca", "switch")
    at_switch = done[0]
    wait_for("load after it", lambda: done[0] > at_switch + 200, 20)
    stop.set()
    for t in threads:
        t.join()
    assert not failed, (failed[:5], gw.said()[-2000:])
    assert "in force: CA " in said and len(issuers) == 2, issuers
    ids = ca_ids(gw)
    assert len(set(ids)) == 2
    first_new = ids.index(re.search(r"in force: CA (\w{16})", said).group(1))
    assert len(set(ids[:first_new])) == 1 and len(set(ids[first_new:])) == 1, "no leaf of the old one after the new one's"


def test_known_hosts_get_leaves_of_the_new_one(gw, lab, tmp_path):
    """Caches are bound to the CA (threats.md row 138)."""
    assert leaf(lab, tmp_path, "old") == "http://10.32.0.1:3128/perron.crl"
    prepare(gw)
    roots = both_roots(gw)
    gw.ctl("ca", "switch")
    wait_for("a leaf of the new one", lambda: leaf(lab, tmp_path, "new") != "http://10.32.0.1:3128/perron.crl", 5)
    assert (tmp_path / "old-issuing.pem").read_text() != (tmp_path / "new-issuing.pem").read_text()
    verify = lab.clients_space.run("openssl", "verify", "-x509_strict", "-CAfile", roots, "-untrusted", tmp_path / "new-issuing.pem",
                                   tmp_path / "new.pem")
    assert verify.strip().endswith("new.pem: OK")
    shown = json.loads(gw.ctl("--json", "ca", "show"))
    assert [o["where"].split("/")[0] for o in shown["others"]] == ["ca.old"]


def test_no_session_of_the_old_one_is_resumed(gw, lab):
    """A ticket is for one CA: after a switch every client sees the new leaf."""
    prepare(gw)
    context = ssl.create_default_context(cafile=str(both_roots(gw)))

    def connect(session=None):
        with lab.connect("agent", CDN, 443) as raw, \
                context.wrap_socket(raw, server_hostname="cdn.example", session=session) as s:
            s.sendall(b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\nConnection: close\r\n\r\n")
            while s.recv(4096):
                pass
            return s.session, s.session_reused
    session, reused = connect()
    assert not reused
    session, reused = connect(session)
    assert reused   # else it would not be the switch that ends it
    gw.ctl("ca", "switch")
    wait_for("the new CA", lambda: "?ca=" in leaf(lab, gw.folder, "any"), 5)
    fresh, reused = connect(session)
    assert not reused
    assert connect(fresh)[1]


def test_both_crls_are_answered(gw, lab, tmp_path):
    """A client that was just given a leaf of the old CA still asks for that CA's CRL (threats.md row 54); also after a new
    start."""
    old_url = leaf(lab, tmp_path, "old")
    prepare(gw)
    roots = both_roots(gw)
    gw.ctl("ca", "switch")
    new_url = wait_for("a pointer of its own", lambda: (u := leaf(lab, tmp_path, "new")) != old_url and u, 5)
    assert re.fullmatch(re.escape(old_url) + r"\?ca=[0-9a-f]{8}", new_url)
    for _ in range(2):
        assert verify_with_crl(lab, tmp_path, "old", roots, old_url).strip().endswith("old.pem: OK")
        wait_for("the new CRL", lambda: lab.curl("agent", new_url).status == 200, 5)
        assert verify_with_crl(lab, tmp_path, "new", roots, new_url).strip().endswith("new.pem: OK")
        gw.stop()
        lab.open_again()
        gw.start()


def test_there_and_back(gw, lab, tmp_path):
    """The root stays; so clients need nothing."""
    leaf(lab, tmp_path, "first")
    prepare(gw, "--keep-root")
    before = re.search(r"--back (\w{16})", gw.ctl("ca", "switch")).group(1)
    issuing = lambda: leaf(lab, tmp_path, "now") and (tmp_path / "now-issuing.pem").read_text()
    first = (tmp_path / "first-issuing.pem").read_text()
    wait_for("the second one", lambda: issuing() != first, 5)
    assert lab.curl("agent", "https://files.example/hello").status in (200, 404)    # verified against the one root
    gw.ctl("ca", "switch", "--back", before)
    wait_for("the first one", lambda: issuing() == first, 5)


def test_into_a_token(gw, lab, tmp_path):
    """threats.md rows 130 and 138: the key moves where nobody can copy it, and nothing stands still meanwhile."""
    token = Token(lab.folder / f"switch-token-{time.monotonic_ns()}").key()
    prepare(gw, "--keep-root", *token.words())
    token.give()
    gw.ctl("ca", "switch")
    token.give()
    wait_for("the token's leaves", lambda: "?ca=" in leaf(lab, tmp_path, "new"), 5)
    assert lab.curl("agent", "https://files.example/hello").status in (200, 404)
    assert json.loads(gw.ctl("--json", "ca", "show"))["issuing_key"] == "token"


def test_a_stopped_gateway_finds_the_new_one(gw, lab, tmp_path):
    gw.stop()
    lab.open_again()
    prepare(gw, "--keep-root")
    gw.ctl("ca", "switch")
    gw.start()
    assert "?ca=" in leaf(lab, tmp_path, "new")


def test_an_origin_with_a_leaf_of_an_old_one_is_refused(gw, lab, tmp_path):
    """threats.md row 29: what was ours is still ours, for new workers too."""
    issuing = x509.load_pem_x509_certificate((gw.state / "ca" / "issuing.crt").read_bytes())
    signer = serialization.load_pem_private_key((gw.state / "ca" / "issuing.key").read_bytes(), None)
    key = new_key("ec")
    cert = (x509.CertificateBuilder().subject_name(subject("closed.example")).issuer_name(issuing.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(days(-1))
            .not_valid_after(days(20)).add_extension(x509.SubjectAlternativeName([x509.DNSName("closed.example")]), False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False).sign(signer, hashes.SHA256()))
    (tmp_path / "key.pem").write_bytes(key_pem(key))
    (tmp_path / "leaf.pem").write_bytes(pem(cert))
    (tmp_path / "chain.pem").write_bytes((gw.state / "ca" / "issuing.crt").read_bytes() + (gw.state / "ca" / "root.crt").read_bytes())
    at = SITES["closed.example"].v4
    server = lab.internet.start_server(at, 443, "openssl", "s_server", "-accept", f"{at}:443", "-key", tmp_path / "key.pem",
                                       "-cert", tmp_path / "leaf.pem", "-cert_chain", tmp_path / "chain.pem", "-www", "-quiet")
    try:
        prepare(gw)
        gw.ctl("ca", "switch")
        gw.root_pem().unlink()
        lab.clients.our_ca = gw.root_pem()
        for times in (1, 2):
            a = lab.curl("agent", "https://closed.example/")
            assert a.status == 403, a
            refused = wait_for("events", lambda n=times: len(e := gw.events(event_type="flow", perron__reason="certificate")) >= n and e, 5)
            assert {e["perron"]["detail"] for e in refused} == {"own-ca"}
            for pid in gw.pids("worker"):
                gw.kill(pid)
            wait_for("new workers", gw.ready, 5)
    finally:
        end(server)
