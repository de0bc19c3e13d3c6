"""A warning, the click past it, and who else gets nothing of that click."""
import html
import re
import time
from urllib.parse import urlencode, urlsplit

import pytest

from gateway import CODE, field, policy

PROXY = "http://10.32.0.1:3128"
BROWSER = ("-H", "Accept: text/html", "-H", "Accept-Language: en")
REASON = "watch something better"
WARNING = f'  warn     domain "www.video.example", "social.example", "plain.example"  reason "{REASON}"\n'


@pytest.fixture
def warned(lab, own_gateway):
    return own_gateway(policy(lab, web=WARNING), clock=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def fields_of(page):
    """What the form of a warning page would send."""
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    return {name: html.unescape(value) for name, value in found.items()}


def click_url(url, fields):
    at = urlsplit(url)
    return f"{at.scheme}://{at.netloc}/.perron/continue?{urlencode(fields)}"


def click(lab, who, url, fields, *options, **way):
    return lab.curl(who, click_url(url, fields), *BROWSER, *options, **way)


def click_through(lab, who, url, **way):
    """The cookie that a click brings."""
    page = lab.curl(who, url, *BROWSER, **way)
    assert page.status == 403 and "<form" in page.text, page.text
    a = click(lab, who, url, fields_of(page.text), **way)
    assert a.status == 303, (a.status, a.text)
    return a.headers["set-cookie"].split(";")[0]


WAYS = {"tls": ("https://www.video.example/a?q=1&r=%20x", {}), "connect": ("https://www.video.example/a?q=1&r=%20x", {"proxy": PROXY}),
        "plain": ("http://plain.example/a?q=1", {}), "absolute": ("http://plain.example/a?q=1", {"proxy": PROXY})}


@pytest.mark.parametrize("way", WAYS)
def test_warned_clicked_and_let_through(lab, warned, way):
    url, how = WAYS[way]
    host = urlsplit(url).hostname
    server = "video.example" if host == "www.video.example" else host
    before = len(lab.requests(server))
    page = lab.curl("pupil", url, *BROWSER, **how)
    assert page.status == 403 and REASON in page.text and CODE.match(page.code)
    e = warned.by_code(page.code)[-1]
    assert (e["perron"]["reason"], e["perron"]["action"]) == ("warned", "warn") and "warn" in e["perron"]["rule"]
    fields = fields_of(page.text)
    assert fields["to"] == url.split(host)[1]
    a = click(lab, "pupil", url, fields, **how)
    assert a.status == 303 and a.headers["location"] == url and a.headers["cache-control"] == "no-store"
    cookie, *attributes = a.headers["set-cookie"].split("; ")
    assert set(attributes) == {"Max-Age=900", "Path=/", "HttpOnly", "SameSite=Lax"} | ({"Secure"} if "https" in url else set())
    e = warned.by_code(a.code)[-1]
    assert (e["perron"]["reason"], e["perron"]["action"]) == ("clicked", "allow") and "warn" in e["perron"]["rule"]
    assert "q=1" not in str(e) and fields["t"] not in str(e), "no query in the log"
    assert len(lab.requests(server)) == before, "the origin knows nothing yet"
    lab.curl("pupil", url, "-H", f"Cookie: a=1; {cookie}; b=2", **how)
    lab.curl("pupil", url, "-H", f"Cookie: {cookie}", **how)
    rows = lab.requests(server)[before:]
    assert [r["uri"] for r in rows] == [fields["to"]] * 2
    assert [r["cookie"] for r in rows] == ["a=1; b=2", ""], "the origin never sees our cookie"
    e = warned.event(event_type="http", http__hostname=host, perron__lifted="clicked", http__url="/a")
    assert e["perron"]["action"] == "allow" and e["perron"]["reason"] == "done"


def test_forged_tokens_and_those_of_others(lab, warned):
    url = "https://www.video.example/"
    fields = fields_of(lab.curl("pupil", url, *BROWSER).text)
    before = len(lab.requests("video.example"))
    token = fields["t"]
    forged = [token[:-1] + ("A" if token[-1] != "A" else "B"), token[:20] + ("x" if token[20] != "x" else "y") + token[21:],
              "", "A" * 72, token + "A", token[:-4]]
    for t in forged:
        a = click(lab, "pupil", url, {"t": t, "to": "/"})
        assert a.status == 403 and "set-cookie" not in a.headers, t
        assert warned.by_code(a.code)[-1]["perron"]["reason"] == "click-refused"
    assert click(lab, "agent", url, fields).status == 403, "of another client"
    assert click(lab, "pupil", "https://social.example/", fields).status == 403, "of another host"
    assert lab.curl("pupil", click_url(url, fields), *BROWSER, "-X", "POST", "-d", "x").status == 403
    assert lab.curl("pupil", "https://cdn.example/.perron/anything", *BROWSER).status == 403
    cookie = click_through(lab, "pupil", url)
    name, value = cookie.split("=", 1)
    assert lab.curl("pupil", url, "-H", f"Cookie: {name}={token}").status == 403, "an offer is no pass"
    assert click(lab, "pupil", url, {"t": value, "to": "/"}).status == 403, "a pass is no offer"
    assert lab.curl("agent", url, "-H", f"Cookie: {cookie}").status == 403
    assert lab.curl("pupil", "https://social.example/", "-H", f"Cookie: {cookie}").status == 403
    assert lab.curl("pupil", url, "-H", f"Cookie: {cookie[:-1]}").status == 403
    assert len(lab.requests("video.example")) == before, "nothing of it reached the origin"
    assert lab.curl("pupil", url, "-H", f"Cookie: {cookie}").status == 200


def test_a_click_leads_nowhere_else(lab, warned):
    url = "https://www.video.example/"
    fields = fields_of(lab.curl("pupil", url, *BROWSER).text)
    for to, where in (("//evil.example/", "https://www.video.example//evil.example/"), ("https://evil.example/", url),
                      ("/\r\nSet-Cookie: x=y", url), ("", url), ("/%0d%0aX: y", url), ("/a b", url),
                      ("@evil.example", url), ("/" + "x" * 5000, url)):
        a = click(lab, "pupil", url, {"t": fields["t"], "to": to})
        assert a.status == 303 and a.headers["location"] == where, to
        assert "x=y" not in str(a.headers)


def test_a_click_ends_and_so_does_an_offer(lab, warned):
    url = "https://www.video.example/hello"
    cookie = click_through(lab, "pupil", url)
    assert lab.curl("pupil", url, "-H", f"Cookie: {cookie}").status == 200
    warned.ctl("simulate", "clock", "--for", "890")
    assert lab.curl("pupil", url, "-H", f"Cookie: {cookie}").status == 200
    warned.ctl("simulate", "clock", "--for", "20")
    page = lab.curl("pupil", url, *BROWSER, "-H", f"Cookie: {cookie}")
    assert page.status == 403 and "<form" in page.text, "warned again"
    fields = fields_of(page.text)
    warned.ctl("simulate", "clock", "--for", "3600")
    assert click(lab, "pupil", url, fields).status == 403, "the page was left open for more than an hour"
    warned.ctl("simulate", "clock", "--back", "--for", "3600")
    assert click(lab, "pupil", url, fields).status == 303
    warned.ctl("simulate", "clock", "--back", "--for", "500")
    assert lab.curl("pupil", url, "-H", f"Cookie: {cookie}").status == 200
    warned.ctl("simulate", "clock", "--back", "--for", "500")
    assert lab.curl("pupil", url, "-H", f"Cookie: {cookie}").status == 403, "a clock set back prolongs nothing"


def test_programs_get_one_line_and_posts_are_told(lab, warned):
    a = lab.curl("pupil", "https://www.video.example/api", "-H", "Accept: application/json")
    assert a.status == 403 and a.text.count("\n") == 1 and "<" not in a.text and a.code in a.text
    a = lab.curl("pupil", "https://www.video.example/form", *BROWSER, "-d", "field=value")
    assert a.status == 403 and "send it again" in a.text
    a = lab.curl("pupil", "https://www.video.example/form", *BROWSER)
    assert "send it again" not in a.text


def test_a_reload_keeps_clicks_and_a_block_beats_them(lab, warned):
    url = "https://www.video.example/hello"
    cookie = click_through(lab, "pupil", url)
    text = warned.file.read_text()
    status, said = warned.reload(text.replace("web {", "web {\n  block domain \"elsewhere.example\""))
    assert status == 0, said
    assert lab.curl("pupil", url, "-H", f"Cookie: {cookie}").status == 200
    status, said = warned.reload(text.replace("web {", "web {\n  forbid domain \"www.video.example\""))
    assert status == 0, said
    page = lab.curl("pupil", url, *BROWSER, "-H", f"Cookie: {cookie}")
    assert page.status == 403 and "<form" not in page.text
    assert warned.by_code(page.code)[-1]["perron"]["reason"] == "policy"


def test_two_workers_know_each_others_clicks(lab, warned):
    url = "https://www.video.example/hello"
    cookie = click_through(lab, "pupil", url)
    for _ in range(12):
        assert lab.curl("pupil", url, "-H", f"Cookie: {cookie}").status == 200
    workers = {field(e, "perron__worker") for e in warned.events(event_type="http", perron__lifted="clicked")}
    assert len(workers) == 2, workers
