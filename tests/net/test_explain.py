"""perronctl explain: the same answer as the gateway gave, for a request that is described and for a decision that was
made; the chain names who, what, each rule until the one that decided, and the policy of then."""
import json
import re
import shutil

from client import PEOPLE
from gateway import policy
from space import wait_for


def explained(gw, *words):
    return json.loads(gw.ctl("--json", "explain", *words))


def by_code(gw, code):
    wait_for(f"code {code} in the journal", lambda: gw.ctl_run("journal", "find", code)[0] == 0, 5)
    return explained(gw, code)


def steps(answer, step):
    return [s["text"] for s in answer["chain"] if s["step"] == step]


def rules(answer):
    return [s for s in answer["chain"] if "rule" in s]


def test_a_described_request_comes_out_as_the_real_one(lab, own_gateway):
    gw = own_gateway()
    for who, url in (("pupil", "https://video.example/hello"), ("agent", "https://video.example/hello"),
                     ("agent", "https://casino.example/hello"), ("pupil", "https://www.bank.example/hello"),
                     ("guest", "https://social.example/"), ("guest", "https://www.school.example/hello"),
                     ("pupil", "http://video.example/hello")):
        n = len(gw.log_lines())
        lab.curl(who, url, "-H", "Accept: text/html")
        host = url.split("/")[2]

        def look():
            found = [json.loads(line) for line in gw.log_lines()[n:]]
            found = [e for e in found if host in (e.get("http", {}).get("hostname"), e.get("tls", {}).get("sni"))]
            return [e for e in found if e["event_type"] == "http"] or found
        event = wait_for(f"the event of {url}", look, 5)[-1]
        said = explained(gw, "--from", PEOPLE[who].v4, url)
        assert said["action"] == event["perron"]["action"], (who, url, said["chain"])
        if event["perron"].get("rule"):
            assert said["rule"] == event["perron"]["rule"], (who, url)
            assert f"{said['file']}:{said['line']}" == event["perron"]["rule_at"]


def test_the_chain_goes_through_the_rules_in_order(own_gateway):
    gw = own_gateway()
    said = explained(gw, "--from", PEOPLE["pupil"].v4, "https://video.example/watch?v=1")
    assert [r["match"] for r in rules(said)][-1] == "yes"
    assert all(r["match"] == "no" for r in rules(said)[:-1] if r["step"] == "web")
    lines = [r["line"] for r in rules(said) if r["step"] == "web"]
    assert lines == sorted(lines) and len(lines) > 1
    assert "lan" in steps(said, "zone")[0]
    assert "the policy" in steps(said, "identity")[0]
    assert re.fullmatch(r"streaming: domain in .*site\.policy, line \d+: `video\.example`", *steps(said, "category"))
    assert any("pupils" in t for t in steps(said, "group"))
    in_force = [s["snapshot"]["hash"] for s in gw.show("snapshots") if s["snapshot"]["in_force"]]
    assert steps(said, "snapshot") == in_force
    assert "v=1" not in json.dumps(said)
    brief = explained(gw, "--brief", "--from", PEOPLE["pupil"].v4, "https://video.example/")
    assert len(rules(brief)) < len(rules(said)) and brief["rule"] == said["rule"]


def test_a_code_leads_to_its_decision_under_the_policy_of_then(lab, own_gateway):
    gw = own_gateway()
    refused = lab.curl("pupil", "https://video.example/watch?v=topsecret", "-H", "Accept: text/html")
    first = by_code(gw, refused.code)
    assert first["same"] is True and first["record"]["verdict"]["rule_text"].startswith("block category streaming")
    assert steps(first, "again") == ["decided again from the record, under the same snapshot: the same"]
    assert rules(first)[-1]["rule"].startswith("block category streaming") and rules(first)[-1]["match"] == "yes"
    assert "topsecret" not in json.dumps(first) and "dupont" not in json.dumps(first)
    # The policy changes; the decision of then is explained by the policy of then.
    text = policy(lab)
    assert gw.reload(text.replace("  block    category streaming  for pupils\n", ""))[0] == 0
    later = by_code(gw, refused.code)
    assert later["same"] is True and rules(later)[-1]["rule"] == rules(first)[-1]["rule"]
    now = explained(gw, "--from", PEOPLE["pupil"].v4, "https://video.example/")
    assert now["action"] == "allow"
    then = explained(gw, "--snapshot", steps(first, "snapshot")[0][:16], "--from", PEOPLE["pupil"].v4,
                     "https://video.example/")
    assert then["action"] == "block"


def test_lists_lines_and_entries_are_named(lab, own_gateway):
    listing = lab.folder / "a-list-with-a-name-too-long-for-a-record-with-its-path.txt"
    listing.write_text("# a comment\nother.example\nvideo.example\ncdn.example\n")
    (lab.folder / "paths.txt").write_text("files.example/secret/\n")
    settings = (f'category listed file "{listing}" except domain "cdn.example"\n'
                f'category secret urls "{lab.folder}/paths.txt"\n')
    gw = own_gateway(policy(lab, web="  block category listed, secret\n", settings=settings))
    said = explained(gw, "--from", PEOPLE["agent"].v4, "https://www.video.example/")
    assert f"listed: file {listing}, line 3: `video.example`" in steps(said, "category")
    said = explained(gw, "--from", PEOPLE["agent"].v4, "https://cdn.example/")
    assert f"listed: file {listing}, line 4: `cdn.example`" in steps(said, "category")
    assert any(t.startswith("listed, not: domain in ") and t.endswith(": `cdn.example`")
               for t in steps(said, "category"))
    assert said["action"] == "allow"
    # What the path alone decides is told once the path is known.
    said = explained(gw, "--from", PEOPLE["agent"].v4, "https://files.example/secret/1")
    assert said["action"] == "block" and said["rule"].startswith("block category listed, secret")
    assert [t.split(":")[0] for t in steps(said, "category")] == ["none", "the path may add secret", "secret"]
    assert steps(said, "category")[2].endswith(", line 1: `files.example/secret/`")
    # A decision that was made is told by the lists of then, whatever is in the file now ...
    refused = lab.curl("agent", "https://video.example/hello", "-H", "Accept: text/html")
    listing.write_text("other.example\n")
    assert gw.reload()[0] == 0
    said = by_code(gw, refused.code)
    assert steps(said, "category")[0] == f"listed: file {listing}, line 3: `video.example`"
    assert re.fullmatch(r"streaming: domain in .*site\.policy, line \d+: `video\.example`", steps(said, "category")[1])
    # ... and by the record alone where these are not kept.
    alone = lab.folder / "alone"
    shutil.copytree(gw.state / "journal", alone / "journal")
    said = json.loads(gw.ctl("-d", alone, "--json", "explain", refused.code))
    assert steps(said, "category")[0] == f"listed: {listing.name[:40]}, line 3"
    # What is in a category by its path has the path's line, or the record's where the path is not kept.
    refused = lab.curl("agent", "https://files.example/secret/1", "-H", "Accept: text/html")
    told = steps(by_code(gw, refused.code), "category")
    assert len(told) == 1 and re.search("^secret: .*paths.txt, line 1", told[0]), told


def test_that_a_name_is_in_no_list_is_said_once(lab, own_gateway):
    gw = own_gateway(policy(lab, web='  block domain "www.school.example"\n'))
    refused = lab.curl("agent", "https://www.school.example/hello", "-H", "Accept: text/html")
    assert steps(by_code(gw, refused.code), "category") == ["none: the name is in no list"]


def test_a_grant_is_named(lab, own_gateway):
    gw = own_gateway()
    gw.ctl("grant", "video.example", "--for", "user", "p.dupont", "--until", "2h", "--reason", "film of the lesson",
           "--by", "helpdesk", "--yes")
    said = explained(gw, "--from", PEOPLE["pupil"].v4, "https://video.example/")
    assert said["action"] == "allow"
    assert any("film of the lesson" in t and "helpdesk" in t for t in steps(said, "grant"))


def test_what_is_wrong_is_said(own_gateway):
    gateway = own_gateway()
    for words, says in ((("explain",), "which URL"),
                        (("explain", "000-0000-000"), "no record has the code"),
                        (("explain", "A7K-2Q9F-XM5"), "is mistyped"),
                        (("explain", "ftp://x.test/"), "neither a decision code nor a URL"),
                        (("explain", "https://"), "neither a decision code nor a URL"),
                        (("explain", "--at", "soon", "https://x.test/"), "is no time"),
                        (("explain", "--from", "lan", "https://x.test/"), "is no address"),
                        (("explain", "--certificate", "good", "https://x.test/"), "no defect"),
                        (("explain", "--snapshot", "ffffffff", "https://x.test/"), "ffffffff"),
                        (("explain", "--frm", "1.2.3.4", "https://x.test/"), "unexpected --frm"),
                        (("explain", "--from"), "wants a value"),
                        (("explain", "-f", "/nonexistent.policy", "https://x.test/"), "nonexistent"),
                        (("explain", "https://x.test/", "https://y.test/"), "one URL or code at a time")):
        status, out, err = gateway.ctl_run(*words)
        assert status == 1 and says in err and out == "", (words, out, err)
        assert "Sanitizer" not in err
