#!/usr/bin/python3
"""Runs the test suites named on the command line and counts them together.

unit: cmocka programs, two at a time (one of them runs tests/policy). tools: pytest on the workshop's own tools.
replay: every fuzz corpus through its target, under sanitizers. net: pytest in network namespaces.
clients: the same with large clients; not part of `make test`.
Output of what passes is not shown; what fails is shown whole. On a terminal one line says where we are.
The last line is always `N passed, N failed, N skipped`; exit status 1 when anything failed or nothing ran.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT_LIMIT_S = 120
NET_LIMIT_S = 1200
NET_RUNS = 12                  # of pytest on tests/net
OURS = ("PERRON_BUILD", "PERRON_DATA", "PYTHONDONTWRITEBYTECODE")   # what sudo shall not forget


class Count:
    """Passed, failed and skipped so far."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def progress(text):
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K" + text[:100])
        sys.stdout.flush()


def show(text):
    progress("")
    print(text, flush=True)


def run(cmd, limit_s, env=None):
    """(exit status, output); a program that does not end in time is killed with its children and counts as failed."""
    if not Path(cmd[0]).exists():
        return 127, "this program was not built"
    proc = subprocess.Popen([str(c) for c in cmd], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = proc.communicate(timeout=limit_s)
        return proc.returncode, out.decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(proc.pid, 9)
        out, _ = proc.communicate()
        return 124, out.decode(errors="replace") + f"\nstill running after {limit_s} s: ended"


def count_cmocka(status, out):
    """Counts of one cmocka program; a crash is one failed test."""
    def number(word):
        return sum(int(n) for n in re.findall(r"\[\s*%s\s*\] (\d+) test\(s\)" % word, out))
    count = Count(number("PASSED"), number("FAILED"), number("SKIPPED"))
    if status != 0 and count.failed == 0:
        count.failed = 1
    if status == 0 and count.passed + count.skipped == 0:
        count.failed = 1
    return count


def sanitizer_env():
    env = dict(os.environ)
    env.setdefault("PERRON_DATA", str(ROOT.parent / "shared" / "data"))
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1:allocator_may_return_null=1")
    return env


def one_unit(job):
    program, limit_s = job
    status, out = run([program], limit_s, sanitizer_env())
    return program, status, out, count_cmocka(status, out)


def say_skips(name, out):
    """One line for each distinct reason of skipped tests."""
    for line in sorted(set(re.findall(r"^.*(?:skip|SKIP)(?:ped|ping)?: .*$", out, re.M))):
        show(f"{name}: {line.strip()}")


def suite_unit(args):
    total = Count()
    sources = sorted((ROOT / "tests/unit").rglob("*_t.c"))
    programs = [ROOT / args.build / s.relative_to(ROOT).with_suffix("") for s in sources]
    with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
        for i, (program, status, out, count) in enumerate(pool.map(one_unit, [(p, args.limit) for p in programs])):
            progress(f"unit {i + 1}/{len(programs)} {program.name}")
            total.add(count)
            if count.failed:
                show(f"---- {program} (exit status {status})\n{out}")
            say_skips(program.name, out)
    return total


def one_replay(job):
    program, corpus, limit_s = job
    status, out = run([program, corpus], limit_s, sanitizer_env())
    n = sum(1 for f in corpus.rglob("*") if f.is_file()) if corpus.is_dir() else 0
    count = Count(n, 0, 0) if status == 0 and n else Count(0, 1, 0)
    if n == 0:
        out += f"\nthere is no corpus in {corpus}"
    return program, status, out, count


def suite_replay(args):
    total = Count()
    replays = args.replays or str(Path(args.build) / "asan")
    jobs = []
    for source in sorted((ROOT / "tests/fuzz").rglob("*_fuzz.c")):
        stem = source.name[:-len("_fuzz.c")]
        program = ROOT / replays / source.relative_to(ROOT).parent / f"{stem}_replay"
        jobs.append((program, source.parent / f"{stem}_corpus", args.limit))
    with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
        for program, status, out, count in pool.map(one_replay, jobs):
            progress(f"replay {program.name}")
            total.add(count)
            if count.failed:
                show(f"---- {program} (exit status {status})\n{out}")
    return total


def count_junit(path):
    count = Count()
    for case in ET.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            count.failed += 1
        elif "skipped" in kinds:
            count.skipped += 1
        else:
            count.passed += 1
    return count


def suite_net(args):
    """Files of tests in namespaces, some at a time: each run of pytest has a laboratory of its own, and most of a test's
    time is waiting: one more at a time than processors."""
    files = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests/net").glob("test_*.py"))
    runs = [files[i::NET_RUNS] for i in range(NET_RUNS) if files[i::NET_RUNS]]
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(args.jobs + 1) as pool:
        for count in pool.map(lambda some: suite_pytest(args, some, NET_LIMIT_S, as_root=True), runs):
            total.add(count)
    return total


def suite_pytest(args, folders, limit_s, as_root=False):
    """Folders or files of pytest's."""
    folders = [f for f in folders if (ROOT / f).is_file() or list((ROOT / f).glob("test_*.py"))]
    if not folders:
        return Count()
    with tempfile.TemporaryDirectory() as tmp:
        report = Path(tmp) / "report.xml"
        cmd = ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--tb=short",
               f"--junitxml={report}", *folders]
        env = dict(sanitizer_env(), PERRON_BUILD=str(ROOT / args.build), PYTHONDONTWRITEBYTECODE="1")
        if as_root and os.geteuid() != 0:
            cmd = ["sh", "tests/tools/as-root.sh", "env", *(f"{k}={env[k]}" for k in OURS), *cmd]
        status, out = run_watched(cmd, limit_s, env, folders[0])
        count = count_junit(report) if report.exists() else Count(0, 1, 0)
        if status not in (0, 5) and count.failed == 0:
            count.failed = 1
        if count.failed:
            show(f"---- {' '.join(folders)} (exit status {status})\n{out}")
        for line in re.findall(r"^SKIPPED .*$", out, re.M):
            show(line)
        return count


def run_watched(cmd, limit_s, env, name):
    """Like run(), but shows on a terminal how far pytest is, and lets it clean up before it is killed."""
    proc = subprocess.Popen([str(c) for c in cmd], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + limit_s
    out = bytearray()
    os.set_blocking(proc.stdout.fileno(), False)
    try:
        while proc.poll() is None:
            out += proc.stdout.read() or b""
            progress(f"{name} {out.decode(errors='replace').splitlines()[-1:] or ''}")
            if time.monotonic() > deadline:
                proc.send_signal(2)
                proc.wait(30)
                out += f"\nstill running after {limit_s} s: ended".encode()
                break
            time.sleep(0.2)
    except KeyboardInterrupt:
        proc.wait(30)
        raise
    out += proc.stdout.read() or b""
    return proc.returncode, out.decode(errors="replace")


SUITES = {
    "unit": suite_unit,
    "tools": lambda args: suite_pytest(args, ["tests/tools", "tests/lint"], args.limit),
    "replay": suite_replay,
    "net": suite_net,
    "clients": lambda args: suite_pytest(args, ["tests/clients"], NET_LIMIT_S, as_root=True),
}


def main():
    os.environ.pop("PYTHONUNBUFFERED", None)    # what a caller has set hides an output that is never flushed
    parser = argparse.ArgumentParser(description="runs test suites")
    parser.add_argument("--build", default="build", help="folder with the programs")
    parser.add_argument("--replays", help="folder with the corpus replay programs (default: BUILD/asan)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=UNIT_LIMIT_S, help="seconds that one program may take")
    parser.add_argument("suites", nargs="+", choices=sorted(SUITES))
    args = parser.parse_args()
    total = Count()
    for name in args.suites:
        start = time.monotonic()
        count = SUITES[name](args)
        total.add(count)
        show(f"{name}: {count} ({time.monotonic() - start:.0f} s)" if len(args.suites) > 1 else f"{name}: done")
    print(total, flush=True)
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
