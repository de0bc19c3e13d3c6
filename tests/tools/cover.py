#!/usr/bin/python3
"""Line coverage by the unit tests and the fuzz corpora, one line per source file.

Fails where a file that reads strangers' bytes (PARSERS) has less than 85 % of its lines covered.
"""
import argparse
import fnmatch
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOOR = 85.0
PARSERS = ["gw/tls/hello*.c", "gw/tls/ja4.c", "gw/http/h1*.c", "gw/http/msg*.c", "gw/ipc/msg*.c", "gw/ipc/peer.c",
           "policy/lex*.c", "policy/parse*.c", "policy/diag.c"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    args = parser.parse_args()
    build = ROOT / args.build
    for old in build.rglob("*.gcda"):
        old.unlink()
    ran = subprocess.run(["/usr/bin/python3", "tests/tools/run.py", "--build", args.build, "--replays", args.build,
                          "unit", "replay"], cwd=ROOT, check=False)
    out = subprocess.run(["gcovr", "--root", ".", "--json-summary", "--exclude", "tests/", str(build)],
                         cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    low = 0
    for f in sorted(json.loads(out)["files"], key=lambda f: f["filename"]):
        name, percent = f["filename"], f["line_percent"]
        held = any(fnmatch.fnmatch(name, p) for p in PARSERS)
        bad = held and percent < FLOOR
        low += bad
        print(f"{percent:6.1f} %  {f['line_covered']:5}/{f['line_total']:<5}  {name}"
              f"{'  (parser)' if held else ''}{'  UNDER 85 %' if bad else ''}")
    return 1 if low or ran.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
