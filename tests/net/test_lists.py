"""Lists of every kind in a running gateway, its sandboxes closed: names, URLs and expressions block what they say and no
more, and what is held back can be asked for."""
import json
import time

from client import PEOPLE
from gateway import policy
from space import wait_for

LISTS = {
    "ut1/pastime/domains": "video.example\ngov.be\n",
    "ut1/pastime/urls": "cdn.example/secret/files/\n",
    "ut1/pastime/expressions": r"^files\.example/.*\.iso$" + "\n",
    "pests.hosts": "0.0.0.0 social.example\n",
}
CATEGORY = 'lists "{0}/ut1"\ncategory pastime ut1 "pastime"  hosts "{0}/pests.hosts"\n'


def write(gw):
    for name, text in LISTS.items():
        path = gw.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_names_urls_and_expressions_block_what_they_say(lab, own_gateway):
    gw = own_gateway()
    write(gw)
    assert lab.curl("agent", "https://cdn.example/secret/files/1").status == 404
    status, said = gw.reload(policy(lab, web="  block category pastime", settings=CATEGORY.format(gw.folder)))
    assert status == 0, said
    assert "`gov.be` is held back" in said
    for url, blocked in (("https://video.example/hello", True), ("https://social.example/hello", True),
                         ("https://cdn.example/hello", False), ("https://cdn.example/secret/file", False),
                         ("https://cdn.example/Secret/./files", True),
                         ("https://cdn.example/x/%2e%2e/secret%2Ffiles;v=1/a", True),
                         ("https://files.example/x/y.iso.txt", False), ("https://files.example/x/y.ISO?q=1", True)):
        status = lab.curl("agent", url, "--path-as-is").status
        assert (status == 403) == blocked, (url, status)
    status, out, said = gw.ctl_run("--json", "lists", "held")
    assert status == 0, said
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(r["list"], r["line"], r["entry"]) for r in rows] == [("ut1 pastime", 2, "gov.be")]


def test_an_address_is_allowed_ahead_of_its_blocked_host(lab, own_gateway):
    """What the path may still add is waited for: where a list has URLs of the host, and nowhere else. What is decided
    without a request is decided by the name."""
    gw = own_gateway()
    write(gw)
    (gw.folder / "good.urls").write_text("cdn.example/secret/files/\n")
    settings = f'category good urls "{gw.folder}/good.urls"\n'
    status, said = gw.reload(policy(lab, web='  allow category good\n  block domain "cdn.example", "files.example"',
                                    settings=settings))
    assert status == 0, said
    assert lab.curl("agent", "https://cdn.example/secret/files/1").status == 404
    assert lab.curl("agent", "https://cdn.example/secret/./files/%31").status == 404
    for path in ("hello", "secret/file", "secret/files/../hello"):
        assert lab.curl("agent", f"https://cdn.example/{path}", "--path-as-is").status == 403, path
    before = lab.syns("files.example")
    assert lab.curl("agent", "https://files.example/secret/files/1").status == 403
    assert lab.syns("files.example") == before, "settled by the name: nothing leaves"
    assert lab.curl("guest", "https://cdn.example/secret/files/1").exit_code != 0
    said = json.loads(gw.ctl("--json", "explain", "--from", PEOPLE["agent"].v4, "https://cdn.example/secret/files/1"))
    assert said["action"] == "allow" and said["rule"] == "allow category good"
    first = next(s for s in said["chain"] if s.get("rule") == "allow category good")
    assert first["match"] == "open" and "category" in first["why"]
    refused = lab.curl("agent", "https://cdn.example/hello", "-H", "Accept: text/html")
    deadline = time.monotonic() + 10
    while (again := json.loads(gw.ctl("--json", "replay").splitlines()[-1]))["same"] < 8 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert again["ok"] and again["same"] >= 8 and again["cannot_tell"] == 0
    wait_for("its record", lambda: gw.ctl_run("journal", "find", refused.code)[0] == 0, 5)
    told = json.loads(gw.ctl("--json", "explain", refused.code))
    assert told["same"] is True and any(s.get("rule", "").startswith("block domain") for s in told["chain"])


def test_a_missing_list_changes_nothing(lab, own_gateway):
    gw = own_gateway()
    write(gw)
    (gw.folder / "pests.hosts").unlink()
    status, said = gw.reload(policy(lab, web="  block category pastime", settings=CATEGORY.format(gw.folder)))
    assert status == 1 and "there is no such list" in said and "pests.hosts" in said
    assert lab.curl("agent", "https://social.example/hello").status == 200
