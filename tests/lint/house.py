#!/usr/bin/python3
"""The rules of the house that no compiler knows: layers, lengths, banned functions, tables, contents, words.

house.py [FOLDER] reads a tree (default: ours) and prints `file:line: sentence`; exit status 1 when there is any.
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = {"gw", "policy", "certs", "signatures", "bench", "tests", "Makefile", "SECURITY.md", "README.md", "LICENSE",
       "debian", ".ci"}
CODE = ("gw", "policy", "certs", "signatures", "bench")

# Who may include whom; a folder may always include itself.
LAYERS = {
    "gw/base": "",
    "gw/ipc": "gw/base", "gw/net": "gw/base", "gw/tls": "gw/base", "gw/http": "gw/base", "gw/ident": "gw/base",
    "signatures": "gw/base",
    "policy": "gw/base signatures",
    "certs": "gw/base gw/ipc",
    "gw/siem": "gw/base gw/ipc",
    "gw/vpn": "gw/base gw/ipc gw/net",
    "gw/inspect": "gw/base gw/http gw/tls signatures",
    "gw/portal": "gw/base gw/http policy",
    "gw/flow": "gw/base gw/ipc gw/net gw/tls gw/http gw/ident policy certs signatures gw/inspect gw/siem gw/portal",
    "gw/proc": "gw/base gw/ipc gw/net gw/tls gw/http gw/ident policy certs signatures gw/inspect gw/siem gw/portal "
               "gw/flow gw/vpn",
    "gw": "gw/base gw/ipc gw/proc policy certs gw/ctl",
    "gw/ctl": "gw/base gw/ipc gw/proc gw/siem policy certs signatures gw",
    "bench": "gw/base gw/net gw/tls gw/http gw/flow policy gw/siem certs signatures",
}
# Tables of names that a folder may read although it may not include the folder they stand in.
NAMES_ONLY = {("policy", "certs/defect.tbl")}
# Sentences for people, in their own languages.
TRANSLATED = {"gw/portal/page.tbl", "gw/portal/cause.tbl"}
# No parser sees OpenSSL or a socket: headers that these folders may not include.
FOREIGN = {
    "policy": r"openssl/(?!evp|sha)|sys/socket|netinet/",
    "gw/http": r"openssl/|sys/socket",
    "gw/tls/hello": r"openssl/ssl|openssl/x509|sys/socket",
}
BANNED = r"\b(strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|gets|atoi|atol|atoll|atof|alloca|strtok|" \
         r"tmpnam|mktemp|system|popen|rand|srand)\s*\("
UNFINISHED = r"\b(TODO|XXX|FIXME|HACK)\b"
MAX_FUNCTION, MAX_FILE, MAX_HEADER, MAX_PARAMS, MAX_INCLUDES, MAX_NESTING = 100, 1000, 200, 6, 10, 4
LIBRARY_SHAPES = {"gw/tls/offer.c": "may"}   # callbacks whose parameters a library has laid down
MAX_LINE = 140   # clang-format holds 110 wherever a line can be broken


class Lint:
    """Collects findings in one tree."""

    def __init__(self, root):
        self.root = Path(root)
        self.found = []

    def say(self, path, line, sentence):
        self.found.append(f"{path}:{line}: {sentence}")

    def files(self):
        """What git knows or would add; the whole tree where there is no git."""
        done = subprocess.run(["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        names = done.stdout.decode().splitlines() if done.returncode == 0 else \
            [str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()]
        return sorted(n for n in names if (self.root / n).is_file())

    def run(self):
        files = self.files()
        for name in files:
            top = name.split("/")[0]
            if top not in TOP and not (top.startswith(".") and "/" not in name):
                self.say(name, 1, f"the top level holds nothing called {top}")
            if re.search(r"_corpus/|\.bin$|\.png$|^LICENSE$|^tests/policy/", name):
                continue
            self.text(name)
            if name.endswith((".c", ".h")):
                self.source(name, files)
        self.tables(files)
        return self.found

    def text(self, name):
        """Rules for every text file."""
        data = (self.root / name).read_bytes()
        for n, line in enumerate(data.split(b"\n"), 1):
            if name.endswith((".c", ".h", ".tbl")) and name not in TRANSLATED and any(b > 126 for b in line):
                self.say(name, n, "write ASCII in sources; spell bytes out as escapes")
            if line.endswith((b" ", b"\t", b"\r")):
                self.say(name, n, "white space at the end of the line")
            if re.search(UNFINISHED.encode(), line) and name != "tests/lint/house.py" and "test_house" not in name:
                self.say(name, n, "unfinished work belongs into an issue, not into the tree")
            if len(line) > MAX_LINE and name.endswith((".c", ".h", ".py", ".sh")):
                self.say(name, n, f"the line has {len(line)} characters; {MAX_LINE} is the limit")

    # ---- C

    def source(self, name, files):
        raw = (self.root / name).read_text(errors="replace")
        code = strip(raw)
        lines = code.split("\n")
        limit = MAX_HEADER if name.endswith(".h") else MAX_FILE
        if len(lines) - 1 > limit:
            self.say(name, 1, f"{len(lines) - 1} lines; {limit} is the limit")
        if not raw.lstrip().startswith("/*"):
            self.say(name, 1, "a file opens with a comment that says what it is for")
        if name.endswith(".h") and not re.search(r"#ifndef \w+_H\b|#pragma once", raw):
            self.say(name, 1, "this header has no include guard")
        self.includes(name, raw, set(files))
        if not name.startswith("tests/"):
            for m in re.finditer(BANNED, code):
                self.say(name, line_of(code, m.start()), f"{m.group(1)}() is not used in this house")
        for func in functions(code):
            self.function(name, *func)

    def includes(self, name, raw, files):
        own = re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', raw, re.M)
        headers = [h for h in own if h.endswith(".h")]
        folder = name.rsplit("/", 1)[0]
        if name.endswith(".c") and not name.startswith("tests/"):
            if len(set(headers)) > MAX_INCLUDES:
                self.say(name, 1, f"{len(set(headers))} own headers; {MAX_INCLUDES} is the limit")
            twin = name[:-2] + ".h"
            if twin in files and headers and not headers[0].startswith((twin, name[:-2] + "_")):
                self.say(name, 1, f"the first include is the file's own header, {twin}")
        for h in own:
            line = line_of(raw, raw.index(f'"{h}"'))
            if h not in files:
                self.say(name, line, f'"{h}" is not a path from the root of the tree')
                continue
            target = h.rsplit("/", 1)[0]
            if (folder, h) in NAMES_ONLY:
                continue
            if folder in LAYERS and target != folder and target not in LAYERS[folder].split():
                self.say(name, line, f"{folder} may not include {target} ({h})")
            if target.startswith("tests") and not name.startswith("tests/"):
                self.say(name, line, "the house does not include its tests")
        for prefix, pattern in FOREIGN.items():
            if name.startswith(prefix):
                for m in re.finditer(r"#\s*include\s+<((?:%s)[^>]*)>" % pattern, raw):
                    self.say(name, line_of(raw, m.start()), f"{prefix} does not see <{m.group(1)}>")

    def function(self, name, func, line, params, body):
        n = body.count("\n") + 1
        if n > MAX_FUNCTION:
            self.say(name, line, f"{func}() has {n} lines; {MAX_FUNCTION} is an error, 45 is long")
        count = len(split_params(params))
        if count > MAX_PARAMS and not name.startswith("tests/") and LIBRARY_SHAPES.get(name) != func:
            self.say(name, line, f"{func}() takes {count} parameters; {MAX_PARAMS} is the limit")
        depth = deepest = 0
        for ch in re.sub(r"=\s*\{[^;]*\};", ";", body):
            depth += (ch == "{") - (ch == "}")
            deepest = max(deepest, depth)
        if deepest - 1 > MAX_NESTING and not name.startswith("tests/"):
            self.say(name, line, f"{func}() nests {deepest - 1} deep; {MAX_NESTING} is the limit")

    # ---- tables

    def tables(self, files):
        """Every table is included somewhere, its rows have different names, and sentences are sentences."""
        sources = {n: (self.root / n).read_text(errors="replace") for n in files
                   if n.endswith((".c", ".h")) and n.startswith(CODE)}
        for name in (n for n in files if n.endswith(".tbl")):
            text = (self.root / name).read_text(errors="replace")
            if not any(f'"{name}"' in s for s in sources.values()):
                self.say(name, 1, "no source includes this table")
            seen = {}
            for m in re.finditer(r"^([A-Z]\w*)\(\s*([\w\"][^,)]*)", text, re.M):
                key = (m.group(1), m.group(2).strip())
                if key in seen:
                    self.say(name, line_of(text, m.start()), f"{key[1]} stands here twice (line {seen[key]})")
                seen[key] = line_of(text, m.start())
            for m in re.finditer(r'""\s*\)\s*$', text, re.M):
                if name != "gw/base/err.tbl":
                    self.say(name, line_of(text, m.start()), "a row without its sentence")


def strip(text):
    """The text without comments and without what stands in quotes, lines kept."""
    def blank(m):
        s = m.group(0)
        if s.startswith(("/*", "//")):
            return re.sub(r"[^\n]", " ", s)
        return s[0] + re.sub(r"[^\n]", " ", s[1:-1]) + s[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def functions(code):
    """(name, line, parameters, body) of every function; its body starts with a brace in the first column."""
    head = re.compile(r"^(?!typedef|#|struct \w+ \{|enum|static const)"
                      r"([A-Za-z_][^;{}#]*?\b(\w+)\s*\(([^;{}]*)\)[^;{}()]*)\n\{", re.M)
    for m in head.finditer(code):
        stop = code.find("\n}", m.end())
        if stop > 0:
            yield m.group(2), line_of(code, m.start()), m.group(3), code[m.end() - 1:stop + 2]


def split_params(params):
    params = params.strip()
    if params in ("", "void"):
        return []
    depth, parts, cur = 0, [], ""
    for ch in params:
        depth += (ch in "([") - (ch in ")]")
        if ch == "," and depth == 0:
            parts.append(cur)
            cur = ""
        else:
            cur += ch
    return [*parts, cur]


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    found = Lint(root).run()
    for line in found:
        print(line)
    if found:
        print(f"house rules: {len(found)} findings", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
