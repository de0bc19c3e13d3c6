"""The reference of the policy language, gw/man/perron.policy.5: each example of it compiles without an error or a
warning, each has a wrong variant in tests/policy/reference.wrong whose diagnostic is the expected one, and every word
of the language stands in an example and on a line of a wrong variant that is refused. Every value that a noun takes
from a table has an expectation that holds and one that does not. The policies that are shipped compile too:
policy/examples and policy/starter.policy.
"""
import functools
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERRON_BUILD", ROOT / "build"))
NOW = "2026-11-24T10:00:00Z"

# What an example may take for granted: a line is left out where the example declares that name itself.
BEFORE = """\
zone lan network 10.0.0.0/8
zone guests network 172.16.0.0/12
host omnipro 10.32.4.20
host resolver 10.32.0.53
service web tcp 80, 443
service names udp 53 tcp 53
group pupils user "martin"
group agents user "anne"
group it-staff user "lambert"
category streaming domain "media.example"
category social-networks domain "friends.example"
category gambling domain "casino.example"
category malware domain "evil.example"
category filehosting domain "files.example"
category banking domain "bank.example"
category health domain "hospital.example"
category eid domain "eid.example"
schedule class-hours mon-fri 08:15-12:00 13:00-16:30
schedule exam 2027-06-01 08:00-12:00
"""
# Files beside the policy, in lists/.
LISTS = {"private.txt": "private.example\n",
         "popular.csv": "1,popular.example\n",
         "accepted.txt": "known.example looked at\n",
         "pests.hosts": "0.0.0.0 track.example\n",
         "malware.rpz": "evil.example CNAME .\n*.evil.example CNAME .\n",
         "trackers.txt": "||banner.example^\n@@||good.banner.example^\n",
         "clips.txt": "learn.example/clips/long\nvideo.example/watch\n"}
BEHIND = "web { allow any }\n"


def examples():
    """{name: text} of the page."""
    page = (ROOT / "gw/man/perron.policy.5").read_text()
    found = re.findall(r'^\.\\" example: (\S+)\n\.Bd [^\n]*\n(.*?)^\.Ed$', page, re.M | re.S)
    assert len(found) == page.count('.\\" example: ') == page.count("\n.Bd ")
    names = [name for name, _ in found]
    assert len(names) == len(set(names))
    return {name: text.replace("\\e", "\\") for name, text in found}


def wrong_ones():
    """[(name, text, sentence)] of the wrong variants."""
    text = (ROOT / "tests/policy/reference.wrong").read_text()
    found = re.findall(r"^== (\S+)\n(.*?)^-- ([^\n]*)\n", text, re.M | re.S)
    assert len(found) == len(re.findall(r"^== ", text, re.M))
    return found


EXAMPLES = examples()
WRONG = wrong_ones()


def declared(text):
    return set(re.findall(r"^ *(zone|host|service|group|category|schedule) +(\S+)", text, re.M))


def whole(text):
    own = declared(re.sub(r"^node .*?^}", "", text, flags=re.M | re.S))
    before = "".join(line + "\n" for line in BEFORE.splitlines() if not declared(line) & own)
    lists = 'lists "ut1"\n' if "ut1 " in text and not re.search("^lists ", text, re.M) else ""
    return lists + before + text + ("" if re.search(r"^web\b", text, re.M) else BEHIND)


def check(folder, text):
    """(exit status, [(line, "error" or "warning", sentence)]); interfaces are the machine's own."""
    for name in ("lists", "ut1", "parts", "schools"):
        (folder / name).mkdir(exist_ok=True)
    for name in ("social_networks", "audio-video", "radio"):
        (folder / "ut1" / name).mkdir(exist_ok=True)
        (folder / "ut1" / name / "domains").write_text(f"{name.replace('_', '-')}.example\n")
    for name, lines in LISTS.items():
        (folder / "lists" / name).write_text(lines)
    (folder / "parts/a.policy").write_text("host printer 10.0.0.9\n")
    (folder / "schools/seraing.policy").write_text('web { block category streaming }\n')
    (folder / "schools/huy.policy").write_text('web { allow category streaming domain "a.media.example" }\n')
    (folder / "x.policy").write_text(text)
    done = subprocess.run([BUILD / "perrond", "-n", "-f", "x.policy", "--clock", NOW], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
    said = re.findall(r"^[\w./-]+:(\d+):\d+: (error|warning): (.*)$", done.stdout, re.M)
    return done.returncode, [s for s in said if "this machine has no interface" not in s[2]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_right(name, tmp_path):
    status, said = check(tmp_path, whole(EXAMPLES[name]))
    assert said == [] and status == 0


@functools.lru_cache(maxsize=None)
def refused(text, sentence):
    """(exit status, what was said, the lines that `sentence` is said about) of a wrong variant."""
    with tempfile.TemporaryDirectory() as folder:
        status, said = check(Path(folder), whole(text))
    lines = whole(text).splitlines()
    return status, said, [lines[int(n) - 1] for n, kind, what in said if kind == "error" and sentence in what]


@pytest.mark.parametrize("name,text,sentence", WRONG, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(WRONG)])
def test_wrong_variant_is_refused(name, text, sentence):
    status, said, lines = refused(text, sentence)
    assert status == 1
    assert lines, said


def test_every_example_has_a_wrong_variant():
    assert set(EXAMPLES) == {name for name, _, _ in WRONG}


def table_words(path, macro):
    return re.findall(rf'^{macro}\(\w+,\s*"([^"]+)"', (ROOT / path).read_text(), re.M)


def values(path, macro):
    return re.findall(rf'^{macro}\("([^"]+)"', (ROOT / path).read_text(), re.M)


PAGE = (ROOT / "gw/man/perron.policy.5").read_text()
TYPES, PATTERNS = values("policy/type.tbl", "T"), values("policy/pattern.tbl", "P")
DEFECTS = table_words("certs/defect.tbl", "D")


def page_words():
    """Every word that the page marks as one of the language, or has as a title."""
    marked = re.findall(r"^(?:\.It |\.Pq )?\.?Ic (.*)$", PAGE, re.M)
    marked = [re.split(r"\b(?:Ar|Pq|Xr|Cm|No|Em)\b", m)[0] for m in marked]
    titles = [t for t in re.findall(r"^\.Ss (.*)$", PAGE, re.M) if t[0].islower()]
    return {w for m in marked + titles for w in re.findall(r"[a-z][a-z0-9-]*", m)}


def language():
    """The words of the tables, the statements of the parser, and those of the page, without the values of nouns."""
    words = table_words("policy/verb.tbl", "V") + table_words("policy/noun.tbl", "N") + \
        table_words("policy/event.tbl", "O") + table_words("policy/listkind.tbl", "L")
    statements = re.findall(r'^    \{"([a-z-]+)", p_\w+\},$', (ROOT / "policy/parse.c").read_text(), re.M)
    assert len(words) > 30 and len(statements) > 20 and len(page_words()) > 100
    return sorted((set(words + statements) | page_words()) - set(TYPES + PATTERNS + DEFECTS))


def stands(word, text):
    days = re.sub(r"\b(mon|tue|wed|thu|fri|sat)-(?=[a-z])", r"\1 ", text)
    return re.search(rf"(?<![\w-]){word}(?![\w-])", days)


DEFAULTS = ["workers auto", "private-destinations block", "forwarded remove", "pool own"]


@pytest.mark.parametrize("line", DEFAULTS)
def test_a_default_may_be_written_out(line, tmp_path):
    assert check(tmp_path, whole(line + "\n")) == (0, [])


def test_every_word_stands_in_an_example():
    text = " ".join([*EXAMPLES.values(), *DEFAULTS])
    pairs = ["quic refuse", "youtube strict", "youtube moderate", "radius class", "vpn site", "vpn remote", "ca none",
             "source keep"]
    assert [w for w in language() + pairs if not stands(w, text)] == []


def test_every_word_stands_where_a_wrong_variant_is_refused():
    text = "\n".join(line for _, wrong, sentence in WRONG for line in refused(wrong, sentence)[2])
    assert [w for w in language() if not stands(w, text)] == []


@pytest.mark.parametrize("noun,value", [("type", v) for v in TYPES] + [("pattern", v) for v in PATTERNS])
def test_every_value_of_content_decides(noun, value, tmp_path):
    assert stands(value, PAGE)
    other = next(v for v in (TYPES if noun == "type" else PATTERNS) if v != value)
    policy = BEFORE + f"web {{ allow any }}\ncontent {{ block {noun} {value} }}\n"
    right = f'expect block get "https://a.example/x" {noun} {value}\n' \
            f'expect allow get "https://a.example/x" {noun} {other}\n'
    assert check(tmp_path, policy + right)[0] == 0
    status, said = check(tmp_path, policy + right.replace("expect block", "expect allow"))
    assert status == 1 and any("this is not what happens" in what for _, _, what in said)


@pytest.mark.parametrize("value", DEFECTS)
def test_every_defect_decides_or_cannot_be_allowed(value, tmp_path):
    assert stands(value, PAGE)
    allowed = BEFORE + f"tls {{ allow certificate {value}\ninspect any }}\n" + BEHIND
    status, said = check(tmp_path, allowed)
    if any(f"`{value}` cannot be allowed" in what for _, _, what in said):
        assert status == 1
        return
    right, wrong = "allow", "block"
    if any(f"`{value}` is no defect: it can only be exempted" in what for _, _, what in said):
        allowed, right, wrong = allowed.replace("tls { allow", "tls { exempt"), "exempt", "inspect"
    expectation = f'certificate {value} get "https://a.example/"\n'
    assert check(tmp_path, f"{allowed}expect {right} {expectation}")[0] == 0
    status, said = check(tmp_path, f"{allowed}expect {wrong} {expectation}")
    assert status == 1 and any("this is not what happens" in what for _, _, what in said)


SHIPPED = sorted([*(ROOT / "policy/examples").glob("*.policy"), ROOT / "policy/starter.policy"])


@pytest.mark.parametrize("path", SHIPPED, ids=[p.stem for p in SHIPPED])
def test_shipped_policy_is_right(path):
    done = subprocess.run([BUILD / "perrond", "-n", "-f", path, "--clock", NOW], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
    said = re.findall(r": (?:error|warning): (.*)$", done.stdout, re.M)
    assert done.returncode == 0 and [s for s in said if "this machine has no interface" not in s] == []
    assert path.stem == "starter" or path.read_text().count("\nexpect") >= 5
