"""Where requests are not changed (observed, exempt), and what `forwarded` says of who stands behind the gateway."""
import pytest

from gateway import policy
from test_modify import PROXY, RULES, arrived, news, told, values


def test_what_is_observed_changes_nothing(lab, own_gateway):
    gw = own_gateway(policy(lab, web=RULES) + "observe from lan until 2099-01-01\n")
    line, fields, _ = arrived(lab, "pupil", "https://www.google.com/search?q=a")
    assert line == "GET /search?q=a HTTP/1.1" and values(fields, "x-house") == []
    p = told(gw, "www.google.com")
    assert p["set"].startswith("safe-search") and "changed" not in p


def test_what_cannot_be_changed_is_told(lab, own_gateway):
    """Exempt: nothing is decrypted, the flow's line says so; and the compiler has warned."""
    gw = own_gateway(policy(lab, web='  set safe-search domain "www.google.com"\n').replace(
        "tls {", 'tls {\n  exempt domain "www.google.com"'))
    line, _, a = arrived_plainly(lab, "pupil", "https://www.google.com/search?q=a")
    assert line == "GET /search?q=a HTTP/1.1" and a.status == 200
    e = gw.event(event_type="flow", tls__sni="www.google.com")
    assert e["perron"]["mode"] == "exempt"
    status, out, err = gw.ctl_run("check", gw.file)
    assert "this rule can match only unencrypted requests" in out + err, (status, out, err)


def arrived_plainly(lab, who, url):
    before = lab.script_bytes()
    a = lab.curl(who, url)
    got = news(lab, before)
    return got.decode("latin-1").split("\r\n")[0], got, a


INSIDE = ["Via: 1.1 school", "X-Forwarded-For: 10.0.0.7", "Forwarded: for=10.0.0.7", "X-Real-IP: 10.0.0.7",
          "X_Forwarded_For: 10.0.0.7", "X-Forwarded-Host: intranet"]


@pytest.mark.parametrize("setting", ["remove", "keep", "add"])
def test_what_origins_learn_of_the_inside_row_143(lab, own_gateway, setting):
    own_gateway(policy(lab, settings="" if setting == "remove" else f"forwarded {setting}"))
    options = [x for f in INSIDE for x in ("-H", f)]
    for url, proxy in (("https://search.example/", None), ("http://search.example/", PROXY)):
        _, fields, _ = arrived(lab, "agent", url, *options, proxy=proxy)
        told_of = {n: values(fields, n) for n in ("via", "x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host")}
        want = {"remove": {}, "add": {"via": ["1.1 perron"], "x-forwarded-for": ["10.32.2.10"]},
                "keep": {"via": ["1.1 school"], "x-forwarded-for": ["10.0.0.7", "10.0.0.7"],
                         "forwarded": ["for=10.0.0.7"], "x-real-ip": ["10.0.0.7"], "x-forwarded-host": ["intranet"]}}
        assert {n: v for n, v in told_of.items() if v} == want[setting], fields
