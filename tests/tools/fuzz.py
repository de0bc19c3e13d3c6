#!/usr/bin/python3
"""Runs every libFuzzer target for some seconds, one after the other, and says what each reached.

New inputs stay in a scratch folder of the build; the corpus in the tree is read only. A finding is kept in
BUILD/findings and its path printed. Exit status 1 when any target found something.
NAME.dict beside NAME_fuzz.c is its dictionary.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def fuzz(source, args):
    name = str(source.relative_to(ROOT / "tests/fuzz"))[:-len("_fuzz.c")]
    program = ROOT / args.build / source.relative_to(ROOT).with_suffix("")
    seeds = source.parent / (source.name[:-len("_fuzz.c")] + "_corpus")
    scratch = ROOT / args.build / "corpus" / name
    findings = ROOT / args.build / "findings"
    scratch.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    cmd = [program, scratch, seeds, f"-max_total_time={args.seconds}", "-timeout=10", "-rss_limit_mb=2048",
           "-print_final_stats=1", f"-artifact_prefix={findings}/{source.stem}-"]
    words = source.parent / (source.name[:-len("_fuzz.c")] + ".dict")
    if words.exists():
        cmd.append(f"-dict={words}")
    done = subprocess.run([str(c) for c in cmd], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    out = done.stdout.decode(errors="replace")
    runs = re.findall(r"number_of_executed_units: (\d+)", out)
    cover = re.findall(r" cov: (\d+)", out)
    print(f"{name}: {runs[-1] if runs else '?'} runs, {cover[-1] if cover else '?'} edges, "
          f"{'nothing found' if done.returncode == 0 else 'FOUND SOMETHING'}", flush=True)
    if done.returncode:
        print(out[-6000:], flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("only", nargs="*", help="part of a target's name")
    args = parser.parse_args()
    sources = [s for s in sorted((ROOT / "tests/fuzz").rglob("*_fuzz.c"))
               if not args.only or any(o in str(s) for o in args.only)]
    if not sources:
        print("no such target", file=sys.stderr)
        return 1
    passed = sum(fuzz(s, args) for s in sources)
    print(f"{passed} passed, {len(sources) - passed} failed, 0 skipped")
    return 0 if passed == len(sources) else 1


if __name__ == "__main__":
    sys.exit(main())
