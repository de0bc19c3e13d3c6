#!/usr/bin/python3
"""Mutation score of unit tests: one token of a source file is changed, the tests are linked against it and run; a mutant
that no test notices survives. `make mutate` (SAMPLE=N SEED=S).

A mutant is compiled alone and put before the library when the tests are linked, so that a round costs seconds. What
does not compile is no mutant; what runs longer than ten times as long as the tests need is killed. Comments,
preprocessor lines, asserts and strings are left alone.

Mutants that no test can notice are listed in mutate_equal.txt with the reason. They run like the others: such a one
that survives is left out of the score, and one that a test kills makes the run fail, as the table is wrong then."""

import argparse
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import time

SUBJECTS = {
    "decide": (["policy/decide.c", "policy/match.c", "policy/anchors.c", "policy/tokens.c", "policy/schedule.c",
                "policy/attr.c"],
               ["attr_t", "decide_whole_t", "decide_t", "decide_conditions_t", "decide_people_t", "anchors_t", "grants_t",
                "redecide_t", "schedule_t", "decide_model_t"]),
    "check": (["policy/check.c", "policy/check_rule.c", "policy/check_value.c", "policy/check_order.c",
               "policy/check_layer.c", "policy/check_deleg.c", "policy/check_time.c", "policy/check_reach.c",
               "policy/check_crl.c"],
              ["text_t", "normal_t", "decide_t", "decide_whole_t", "decide_conditions_t",
               "decide_people_t", "check_t", "compile_t"]),
    "reach": (["policy/reach.c", "policy/reach_class.c", "policy/reach_rule.c", "policy/reach_time.c",
               "policy/reach_walk.c", "policy/reach_gate.c", "policy/cover.c", "policy/solve.c", "policy/iset.c"],
              ["solve_t", "cover_t", "reach_text_t", "text_t", "reach_large_t", "reach_t"]),
    "trial": (["policy/trial.c", "policy/number.c", "policy/format.c", "policy/same.c"], ["trial_t", "format_t"]),
}

# token -> what it becomes
SWAPS = {
    "==": ["!="], "!=": ["=="], "<": ["<=", ">"], ">": [">=", "<"], "<=": ["<"], ">=": [">"],
    "&&": ["||"], "||": ["&&"], "+": ["-"], "-": ["+"], "+=": ["-="], "-=": ["+="], "&": ["|"], "|": ["&"],
    "|=": ["="], "true": ["false"], "false": ["true"], "!": [""], "++": ["--"], "0": ["1"], "1": ["0"],
    "continue": ["break"], "RULE_NONE": ["0"], "INT64_MAX": ["0"],
}
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/\*.*?\*/|//[^\n]*|[A-Za-z_]\w*|0x[0-9a-fA-F]+|\d+'
                   r'|->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/&|^]=|.', re.S)


def sites(text):
    """(offset, token, replacement) of all mutants of a file, inside function bodies only."""
    depth, out, before = 0, [], ""
    for m in TOKEN.finditer(text):
        token, at = m.group(), m.start()
        line = text[text.rfind("\n", 0, at) + 1:text.find("\n", at)]
        if token.isspace() or token.startswith(("/*", "//")):
            continue
        depth += (token == "{") - (token == "}")
        unary = token in "&-+*" and (before in "(,=[{&|!?:<>" or before in ("return", "&&", "||", "=="))
        skip = line.lstrip().startswith(("#", "_Static_assert")) or "gw_assert" in line or "static const" in line
        if depth > 0 and not skip and not unary:
            out += [(at, token, new) for new in SWAPS.get(token, [])]
        before = token
    return out


FUNCTION = re.compile(r"^\w[^;{}\n]*?(\w+)\((?:[^;{}]*)\)\n\{", re.M)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EQUAL = os.path.join(ROOT, "tests/tools/mutate_equal.txt")


def identity(path, text, at, token, new):
    """What names a mutant for as long as its line stands: "file function: the changed line"."""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = text[start:at] + new + text[at + len(token):end]
    function = [m.group(1) for m in FUNCTION.finditer(text, 0, end)]
    return f"{path} {function[-1] if function else '?'}: {' '.join(line.split())}"


def read_equal(path=EQUAL):
    """identity -> reason; a reason is a line that begins with a blank, below the mutants it is about."""
    out, waiting = {}, []
    with open(path) as f:
        for line in f:
            if line[0] in "#\n":
                continue
            if line[0] != " ":
                waiting.append(line.strip())
                continue
            if not waiting:
                sys.exit(f"{path}: a reason for nothing: {line.strip()}")
            out.update(dict.fromkeys(waiting, line.strip()))
            waiting = []
    if waiting:
        sys.exit(f"{path}: no reason for: {waiting[0]}")
    return out


def run(cmd, seconds):
    try:
        return subprocess.run(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return "late"


class Bench:
    def __init__(self, args, folder):
        self.build, self.folder = args.build, folder
        self.cc, self.libs, self.help = shlex.split(args.cc), shlex.split(args.libs), shlex.split(args.help_objects)
        self.limit = {}

    def link_and_run(self, test, obj):
        out = os.path.join(self.folder, test)
        cmd = self.cc[:1] + ["-pie", f"{self.build}/tests/unit/policy/{test}.o"] + self.help + obj
        cmd += [f"{self.build}/libperron.a", "-o", out, "-lcmocka"] + self.libs + ["-lm"]
        if subprocess.run(cmd, stderr=subprocess.DEVNULL).returncode:
            sys.exit(f"cannot link {test}")
        start = time.monotonic()
        rc = run([out], self.limit.get(test, 300))
        self.limit.setdefault(test, 5 + 10 * (time.monotonic() - start))
        return rc

    def killed(self, path, text, tests):
        source = os.path.join(self.folder, "mutant.c")
        with open(source, "w") as f:
            f.write(text)
        obj = os.path.join(self.folder, "mutant.o")
        if run(self.cc + ["-w", "-c", source, "-o", obj], 120):
            return None
        return next((t for t in tests if self.link_and_run(t, [obj]) != 0), "")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--build", default="build")
    p.add_argument("--cc", required=True, help="compiler with its flags")
    p.add_argument("--libs", required=True)
    p.add_argument("--help-objects", default="", help="what every unit test is linked with")
    p.add_argument("--sample", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", metavar="FILE", help="of the subject's files this one alone")
    p.add_argument("subject", choices=sorted(SUBJECTS))
    args = p.parse_args()
    files, tests = SUBJECTS[args.subject]
    files = [f for f in files if args.only in (None, f)]
    texts = {f: open(f).read() for f in files}
    mutants = [(f, *s) for f in files for s in sites(texts[f])]
    names = [identity(f, texts[f], at, token, new) for f, at, token, new in mutants]
    equal = {name: why for name, why in read_equal().items() if name.split(" ")[0] in files}
    if stale := [name for name in equal if name not in names]:
        sys.exit(f"{EQUAL} names no mutant: " + "\n".join(stale))
    random.Random(args.seed).shuffle(mutants)
    n_killed = n_all = n_equal = n_wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, folder)
        for t in tests:
            if bench.link_and_run(t, []):
                sys.exit(f"{t} fails before anything is changed")
        for path, at, token, new in mutants:
            if n_all + n_equal == args.sample:
                break
            text = texts[path]
            name = identity(path, text, at, token, new)
            by = bench.killed(path, text[:at] + new + text[at + len(token):], tests)
            if by is None:
                continue
            if name in equal and not by:
                n_equal += 1
                continue
            n_all += 1
            n_killed += by != ""
            if name in equal:
                n_wrong += 1
                print(f"{EQUAL} is wrong: {by} kills {name}", flush=True)
            if not by:
                line = text.count("\n", 0, at) + 1
                print(f"{path}:{line}: `{token}` -> `{new}` survives\n{name}", flush=True)
    print(f"{args.subject}: {n_killed} of {n_all} mutants killed ({100 * n_killed / max(n_all, 1):.1f} %), "
          f"{n_equal} more cannot be noticed; of {len(mutants)} possible ones, seed {args.seed}")
    sys.exit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
