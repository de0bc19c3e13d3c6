"""`observe`: decided and recorded as written, enforced by nobody; and what `set` and `log` rules leave in the log."""
import pytest

from gateway import policy

UNTIL = "until 2099-12-31"


def counter(gw, name):
    return gw.show("counters")[0][name]


@pytest.mark.parametrize("url,way", [("https://social.example/hello", {}), ("http://social.example/hello", {}),
                                     ("https://social.example/hello", {"proxy": "http://10.32.0.1:3128"})])
def test_a_zone_that_is_observed(lab, own_gateway, url, way):
    gw = own_gateway(policy(lab, settings=f"observe from guests {UNTIL}\n"))
    a = lab.curl("guest", url, **way)
    assert (a.exit_code, a.status) == (0, 200), (a.error, a.text)
    kind = {"event_type": "flow", "tls__sni": "social.example"} if url.startswith("https") else \
        {"event_type": "http", "http__hostname": "social.example"}
    e = gw.event(**kind)
    assert e["perron"]["observed"] is True and e["perron"]["action"] == "block"
    assert "category social" in e["perron"]["rule"] and e["perron"]["reason"] == "done"
    assert counter(gw, "would_block") >= 1 and counter(gw, "blocked") == 0
    assert lab.curl("pupil", "https://video.example/").status == 403, "the other zone is not observed"


def test_a_rule_that_is_observed(lab, own_gateway):
    gw = own_gateway(policy(lab).replace("category streaming  for pupils", f"category streaming  for pupils observe {UNTIL}"))
    a = lab.curl("pupil", "https://video.example/hello")
    assert a.status == 200 and "Province" in a.chain, "let through, and decrypted as tls says"
    e = gw.event(event_type="http", http__hostname="video.example")
    assert e["perron"]["observed"] is True and e["perron"]["action"] == "block" and "streaming" in e["perron"]["rule"]
    assert lab.curl("pupil", "https://casino.example/").status == 403, "the other rules count"


def test_observing_decrypts_nothing_that_is_exempt(lab, own_gateway):
    gw = own_gateway(policy(lab, web=f"  block category banking for pupils observe {UNTIL}"))
    a = lab.curl("pupil", "https://www.bank.example/hello")
    assert a.status == 200 and a.issuer == "Public Bank CA (RSA)"
    e = gw.event(event_type="flow", tls__sni="www.bank.example")
    assert e["perron"]["observed"] is True and e["perron"]["action"] == "block" and e["perron"]["mode"] == "exempt"


def test_what_no_rule_decides_is_enforced_all_the_same(lab, own_gateway):
    own_gateway(policy(lab, settings=f"observe from lan {UNTIL}\n"))
    assert lab.curl("agent", "https://expired.example/").status in (403, 502)
    assert lab.curl("pupil", "https://video.example/hello").status == 200
    assert lab.curl("agent", "https://loopback.example/", proxy="http://10.32.0.1:3128").status == 403
    assert lab.curl("stranger", "https://cdn.example/hello", "--max-time", "5", proxy="http://10.32.0.1:3128").status != 200


def test_an_observed_warning_shows_no_page(lab, own_gateway):
    gw = own_gateway(policy(lab, web=f'  warn domain "cdn.example" observe {UNTIL}'))
    assert lab.curl("agent", "https://cdn.example/hello", "-H", "Accept: text/html").status == 200
    e = gw.event(event_type="http", http__hostname="cdn.example")
    assert e["perron"]["observed"] is True and e["perron"]["action"] == "warn"


def test_an_observation_that_ends_while_a_flow_runs(lab, own_gateway):
    """Taken away by a reload: what was let through only because of it ends."""
    gw = own_gateway(policy(lab, settings=f"observe from guests {UNTIL}\n"))
    from test_again import ask, ended, open_tls
    with open_tls(lab, "guest", "social.example") as tls:
        assert ask(tls, "social.example")[0] == 200
        status, said = gw.reload(policy(lab))
        assert status == 0, said
        assert ended(tls)
    e = gw.event(event_type="flow", tls__sni="social.example", perron__reason="policy-changed")
    assert "observed" not in e["perron"] and e["perron"]["action"] == "block"


def test_what_set_and_log_rules_say_is_in_the_log(lab, own_gateway):
    gw = own_gateway(policy(lab, web="""
  set  safe-search, youtube strict  for pupils
  set  header "X-Tenant: secret-tenant"  domain "cdn.example"
  log  domain "cdn.example"  purpose security
"""))
    assert lab.curl("pupil", "https://cdn.example/hello").status == 200
    e = gw.event(event_type="http", http__hostname="cdn.example")
    assert e["perron"]["set"] == "safe-search, youtube strict, header X-Tenant" and e["perron"]["log"] == "security"
    assert "secret-tenant" not in str(e)
    assert lab.curl("agent", "https://files.example/hello").status == 200
    e = gw.event(event_type="http", http__hostname="files.example")
    assert "set" not in e["perron"] and "log" not in e["perron"]
