"""x509-limbo's cases (limbo.py) served over TLS, one after another, to a gateway that trusts all their roots: what
cert-check says offline (tests/tools/test_limbo.py) is what a client meets, and no request reaches an origin whose chain is
refused. Threats A, row 36."""
import ssl

import pytest

from chains import pem
from gateway import POLICY, policy
from hostile import ADDRESS, OK, Origin
from limbo import write
from limbo_want import CASES, ours
from space import end, wait_for

SERVED = [c for c in CASES if c.served and not c.asks_address]
RESOLVER = "192.0.2.54"    # knows every name there is, and one address for all of them
TEXT = POLICY.replace('trust     "<roots>"', 'trust     "<limbo-roots>"').replace("192.0.2.53", RESOLVER)


@pytest.fixture
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("limbo")
    write(SERVED, where)
    (where / "roots.pem").write_bytes(b"".join(pem(r) for c in SERVED for r in c.roots))
    where.chmod(0o755)
    return where


@pytest.fixture
def resolver(lab, folder):
    lab.internet.ip([f"addr replace {RESOLVER}/32 dev lo"])
    proc = lab.internet.start("/usr/sbin/dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--no-resolv", "--no-hosts",
                              "--bind-interfaces", "--user=root", f"--listen-address={RESOLVER}", f"--address=/#/{ADDRESS}",
                              f"--pid-file={folder}/dnsmasq.pid")
    yield proc
    end(proc, 5)


def shown(case, folder):
    """What the origin shows from now on; it does not mind how weak that is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.num_tickets = 0
    context.load_cert_chain(folder / f"{case.name}.pem", folder / f"{case.name}.key")
    return context


def test_every_case_is_met_as_it_is_judged(lab, own_gateway, folder, resolver):
    text = policy(lab, text=TEXT.replace("<limbo-roots>", str(folder / "roots.pem")))
    gw = own_gateway(text)
    wrong, reached = [], []

    def answer(conn):
        if conn.recv(4096):
            reached.append(1)
            conn.sendall(OK)
    with Origin(lab, answer) as origin:
        for case in SERVED:
            reached.clear()
            origin.context = shown(case, folder)
            a = lab.curl("agent", f"https://{case.host}/", "--resolve", f"{case.host}:443:{ADDRESS}", "--max-time", "10")
            fine = (a.status, len(reached)) == (200, 1) if ours(case) else a.status == 403 and not reached
            if not fine:
                wrong.append((case.id, ours(case), a.status, len(reached), a.error))
        origin.wrong.clear()    # of connections that the gateway left
    assert wrong == []
    wait_for("all flows in the log", lambda: len(gw.events(event_type="flow")) >= len(SERVED), 10)
    flows = gw.events(event_type="flow")
    refused = [e for e in flows if e["perron"].get("defect")]
    assert len(SERVED) >= 130
    assert len(refused) == sum(not ours(c) for c in SERVED)
