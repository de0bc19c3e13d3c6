"""Lists of every kind in a running gateway, its sandboxes closed: names, URLs and expressions block what they say and no
more, and what is held back can be asked for."""
import json

from gateway import policy

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


def test_a_missing_list_changes_nothing(lab, own_gateway):
    gw = own_gateway()
    write(gw)
    (gw.folder / "pests.hosts").unlink()
    status, said = gw.reload(policy(lab, web="  block category pastime", settings=CATEGORY.format(gw.folder)))
    assert status == 1 and "there is no such list" in said and "pests.hosts" in said
    assert lab.curl("agent", "https://social.example/hello").status == 200
