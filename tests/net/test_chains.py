"""Every chain of chains.py, served by a real nginx behind a gateway: good ones load, bad ones are refused with the word
that cert-check has for them, and no request reaches a bad origin. Threats A and B, rows 1-35 and 37-41."""
import pytest
from cryptography import x509

from chainlab import Origins, write_one
from chains import GOOD, Case, Maker, Set
from gateway import POLICY, policy
from space import end, wait_for

CHAINS = POLICY.replace('trust     "<roots>"', 'trust     "<chain-roots>"')


def chain_policy(lab, folder, settings="", rules="", workers="1"):
    text = CHAINS.replace("<chain-roots>", str(folder / "roots.pem"))
    text = text.replace("  inspect  any\n}", f"{rules}  inspect  any\n}}", 1)
    return policy(lab, text=text, settings=settings, workers=workers)


@pytest.fixture(scope="module")
def cases():
    return Set()


@pytest.fixture
def origins(lab, cases, tmp_path):
    """Files of all cases, and an nginx that shows none of them yet."""
    where = Origins(lab, tmp_path / "origins")
    where.show(cases, [])
    where.stop()
    yield where
    where.stop()


@pytest.fixture
def served(lab, own_gateway, cases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("origins")
    origins = Origins(lab, folder)
    yes = [c for c in cases.cases if c.served and c.row != 26 and c.name not in ("own-ca", "own-ca-by-name-alone")]
    origins.show(cases, yes)
    gw = own_gateway(chain_policy(lab, folder))
    yield gw, origins, yes
    origins.stop()


def test_every_chain_is_treated_as_it_must_be(lab, served):
    gw, origins, yes = served
    wrong = []
    for case in yes:
        a = origins.curl("agent", case, "--max-time", "10")
        arrived = len(origins.requests(case.name))
        if case.want == GOOD:
            fine = a.status == 200 and a.text == f"hello from {case.name}\n" and arrived >= 1
        else:
            fine = a.status in (403, 502) and arrived == 0
        if not fine:
            wrong.append((case.row, case.name, case.want, a.status, arrived, a.error))
    assert len(yes) >= 80
    assert wrong == []
    wait_for("all flows in the log", lambda: len(gw.events(event_type="flow")) >= len(yes), 10)
    told = {(e.get("tls", {}).get("sni"), (e["perron"].get("defect") or "").split(", ")[0]) for e in gw.events(event_type="flow")}
    for case in yes:
        if not case.host[0].isdigit() and case.name != "10000-names":    # too long for a handshake at all
            assert (case.host, "" if case.want == GOOD else case.want) in told, case.name


def test_row_28_a_verdict_is_nobody_elses(lab, served):
    """Good after bad and bad after good, on one name and one address: what was cached for the one is not the other's."""
    gw, origins, yes = served
    by = {c.name: c for c in yes}
    good, bad = by["good-p256"], by["expired-yesterday"]
    for turn in range(3):
        for case in (good, bad):
            shown = Case("turn", 28, case.want, good.host, case.chain, case.key)
            write_one(origins, shown)
            origins.start([shown])
            a = origins.curl("agent", shown)
            assert a.status == (200 if case is good else 403), (turn, case.name)


def test_row_29_our_own_name_is_nobodys(lab, own_gateway, origins):
    """An origin whose chain claims to come from the gateway's own authority."""
    gw = own_gateway(chain_policy(lab, origins.folder))
    root = x509.load_pem_x509_certificate(gw.root_pem().read_bytes())
    maker = Maker("thief", name=root.subject.public_bytes())
    der, key = maker.leaf(["claims-ours.chains.example"])
    case = Case("claims-ours", 29, "own-ca", "claims-ours.chains.example", [der], key)
    write_one(origins, case)
    origins.start([case])
    a = origins.curl("agent", case)
    assert (a.status, origins.requests()) == (403, [])
    assert gw.event(tls__sni=case.host)["perron"]["defect"].startswith("own-ca")


WEAK = [    # row, name, what openssl s_server is told
    (37, "tls1.0", ["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"]),
    (37, "tls1.1", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]),
    (39, "null", ["-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"]),
    (39, "anonymous", ["-tls1_2", "-cipher", "ADH-AES128-SHA256:@SECLEVEL=0"]),
    (40, "dhe", ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"]),
    (41, "static-rsa", ["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"]),
    (41, "cbc", ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"]),
]


@pytest.mark.parametrize("row, name, words", WEAK, ids=[f"row{r}-{n}" for r, n, _ in WEAK])
def test_a_weak_origin_gets_no_request(lab, own_gateway, origins, cases, row, name, words):
    folder = origins.folder
    gw = own_gateway(chain_policy(lab, folder))
    case = next(c for c in cases.cases if c.name == "good-rsa2048")
    log = open(folder / "s_server.out", "wb")
    server = lab.internet.start("openssl", "s_server", "-accept", f"{origins.address(case)}:443", "-cert",
                                folder / f"{case.name}.pem", "-key", folder / f"{case.name}.key", "-www", *words,
                                stdout=log, stderr=log)
    wait_for("s_server", lambda: b"ACCEPT" in (folder / "s_server.out").read_bytes())
    a = origins.curl("agent", case)
    end(server, 5)
    assert a.status == 502, row
    assert gw.event(tls__sni=case.host)["perron"]["reason"] == "upstream-tls"
    assert b"GET" not in (folder / "s_server.out").read_bytes()


def test_the_word_for_people_is_escaped(lab, served):
    """Row 35: a bad certificate's subject breaks neither the page nor the log."""
    gw, origins, yes = served
    case = next(c for c in yes if c.name == "script-in-subject")
    a = origins.curl("agent", case, "--header", "Accept: text/html")
    assert a.status == 403
    assert "<img src=x" not in a.text and "<script>alert" not in a.text
    for line in gw.log_lines():
        assert line.startswith("{") and line.endswith("}")
    assert case.host in a.text
