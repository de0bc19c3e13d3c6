"""Sessions and connections that are used again: towards origins (sessions, verified chains, idle connections), towards
clients (tickets). What is resumed shows no certificate, so every decision is made afresh from what is kept: threats.md
rows 28 (good after bad, bad after good), 46 (another name, another policy) and 59 (0-RTT)."""
from gateway import policy


def counters(gw):
    return gw.show("counters")[0]


def grown(gw, before, *names):
    now = counters(gw)
    return tuple(now[n] - before[n] for n in names)


def hello(lab, host="www.school.example", who="agent", **how):
    a = lab.curl(who, f"https://{host}/hello", **how)
    assert (a.exit_code, a.status) == (0, 200), a.error
    return a


# ---- towards origins

def test_later_connections_to_an_origin_are_resumed_and_told_the_same(lab, own_gateway):
    gw = own_gateway(policy(lab, workers="1"))
    before = counters(gw)
    seen = [hello(lab) for _ in range(4)]
    assert grown(gw, before, "upstream_tls", "upstream_resumed") == (4, 3)
    assert len({a.chain for a in seen}) == 1  # the leaf is the same one
    flows = gw.events(event_type="perron_flow", perron__name="www.school.example")
    assert False, gw.log_lines()
