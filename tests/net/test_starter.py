"""policy/starter.policy, with nothing but names and addresses changed to this laboratory's, does what its comments say."""
import pytest

from gateway import ROOT

CHANGES = {"eth0": "wan0", "eth1": "lan0", "192.168.10.0/24": "10.32.0.0/16", "192.168.11.0/24": "10.112.0.0/16",
           "192.168.10.1": "10.32.0.1"}


@pytest.fixture
def box(lab, own_gateway):
    text = (ROOT / "policy/starter.policy").read_text()
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    text = text.replace("zone     internet", f'resolver 192.0.2.53\ntrust "{lab.pki.roots}"\nzone     internet', 1)
    return own_gateway(text)


def test_starter_policy(lab, box):
    a = lab.curl("pupil", "https://www.school.example/hello")
    assert (a.exit_code, a.status) == (0, 200) and "Perron" in a.issuer, a.error
    a = lab.curl("pupil", "https://www.bank.example/hello")
    assert a.status == 200 and a.issuer == "Public Bank CA (RSA)"
    a = lab.curl("pupil", "https://www.unwanted.example/", "--resolve", "www.unwanted.example:443:198.51.100.10")
    assert a.status == 403 and a.code
    a = lab.curl("guest", "https://www.school.example/hello")
    assert a.status == 200 and a.issuer == "Public Web CA (EC)"
    a = lab.curl("pupil", "http://10.32.0.1:3128/crl")
    assert a.status == 200
    a = lab.curl("agent", "https://www.school.example/hello", proxy="http://10.32.0.1:3128")
    assert a.status == 200 and "Perron" in a.issuer


def test_who_is_in_no_zone_gets_nowhere(lab, box):
    """Also with an IPv6 address beside the starter's IPv4 networks; with the proxy it is said in the log."""
    before = lab.syns("www.school.example")
    for who, ipv in (("stranger", 4), ("stranger", 6), ("pupil", 6)):
        a = lab.curl(who, "https://www.school.example/hello", ipv=ipv)
        assert a.exit_code == 7 and a.seconds < 2, (who, ipv, a.error)
    assert lab.syns("www.school.example") == before
    lab.curl("stranger", "https://www.school.example/hello", proxy="http://10.32.0.1:3128")
    assert box.event(event_type="flow", src_ip="10.200.1.10")["perron"]["reason"] == "no-zone"
    assert lab.curl("pupil", "https://www.school.example/hello").status == 200


def test_with_one_interface_nobody_is_a_stranger(lab, box):
    status, said = box.reload(box.file.read_text().replace("interface wan0", "interface lan0"))
    assert status == 0, said
    assert lab.curl("stranger", "https://www.school.example/hello").issuer == "Public Web CA (EC)"
    assert "Perron" in lab.curl("pupil", "https://www.school.example/hello").issuer
