#!/usr/bin/python3
"""Mutation score of unit tests: one token of a source file is changed, the tests are linked against it and run; a mutant
that no test notices survives. `make mutate` (SAMPLE=N SEED=S).

A mutant is compiled alone and put before the library when the tests are linked, so that a round costs seconds. What
does not compile is no mutant; what runs longer than ten times as long as the tests need is killed. Comments,
preprocessor lines, asserts and strings are left alone."""

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
    "decide": (["policy/decide.c", "policy/match.c", "policy/tokens.c", "policy/schedule.c"],
               ["decide_whole_t", "decide_t", "schedule_t", "decide_model_t"]),
    "check": (["policy/check.c", "policy/check_rule.c", "policy/check_value.c", "policy/check_order.c",
               "policy/check_layer.c", "policy/check_deleg.c", "policy/check_time.c", "policy/check_reach.c"],
              ["text_t", "compile_t", "normal_t"]),
    "reach": (["policy/reach.c", "policy/reach_class.c", "policy/reach_rule.c", "policy/reach_time.c",
               "policy/reach_walk.c", "policy/solve.c", "policy/iset.c"], ["solve_t", "text_t", "reach_t"]),
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


def run(cmd, seconds):
    try:
        return subprocess.run(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return "late"


class Bench:
    def __init__(self, args, folder):
        self.build, self.folder = args.build, folder
        self.cc, self.libs = shlex.split(args.cc), shlex.split(args.libs)
        self.limit = {}

    def link_and_run(self, test, obj):
        out = os.path.join(self.folder, test)
        helpers = [os.path.join(self.build, "tests/unit/policy/model.o")]
        cmd = self.cc[:1] + ["-pie", f"{self.build}/tests/unit/policy/{test}.o"] + helpers + obj
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
    p.add_argument("--sample", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("subject", choices=sorted(SUBJECTS))
    args = p.parse_args()
    files, tests = SUBJECTS[args.subject]
    texts = {f: open(f).read() for f in files}
    mutants = [(f, *s) for f in files for s in sites(texts[f])]
    random.Random(args.seed).shuffle(mutants)
    n_killed = n_all = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, folder)
        for t in tests:
            if bench.link_and_run(t, []):
                sys.exit(f"{t} fails before anything is changed")
        for path, at, token, new in mutants:
            if n_all == args.sample:
                break
            text = texts[path]
            by = bench.killed(path, text[:at] + new + text[at + len(token):], tests)
            if by is None:
                continue
            n_all += 1
            n_killed += by != ""
            line = text.count("\n", 0, at) + 1
            if not by:
                print(f"{path}:{line}: `{token}` -> `{new}` survives: {text.splitlines()[line - 1].strip()}", flush=True)
    print(f"{args.subject}: {n_killed} of {n_all} mutants killed ({100 * n_killed / max(n_all, 1):.0f} %), "
          f"of {len(mutants)} possible ones, seed {args.seed}")


if __name__ == "__main__":
    main()
