#!/usr/bin/python3
"""The demonstration: seven stories with real requests through a real gateway, on three network namespaces.

Every line of its tables is checked; the exit status is 0 only when each came out as it should. Nothing of it stays on
the machine but the block page in BUILD/demo, also after Ctrl-C. With --shell it keeps running for the reader.
"""
import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "net"))
sys.dont_write_bytecode = True

WIDTH = 100
# (title, width) of the table's columns
COLUMNS = [("", 2), ("who", 6), ("asks for", 29), ("policy", 9), ("client saw", 14), ("issued by", 16),
           ("decision code", 13)]
OUR_ORG = "Province de Demo"
POLICY = HERE / "demo.policy"


def say(text=""):
    for line in textwrap.dedent(text).strip("\n").split("\n"):
        print("\n".join(textwrap.wrap(line, WIDTH, break_long_words=False)) if len(line) > WIDTH else line)
    sys.stdout.flush()


def step(text):
    """One line about what is being done now; on a terminal only."""
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K" + text[:WIDTH])
        sys.stdout.flush()


def title(letter, text):
    step("")
    print()
    print(f"({letter}) {text}")
    print("-" * WIDTH)


class Table:
    """Rows that are printed and judged as they come."""

    def __init__(self):
        self.n_rows = self.n_wrong = 0

    def head(self):
        self.line([name for name, _ in COLUMNS])

    def line(self, cells):
        print(" ".join(str(c)[:w].ljust(w) for c, (_, w) in zip(cells, COLUMNS)).rstrip(), flush=True)

    def row(self, cells, expected):
        """cells: who, asks, policy, saw, issuer, code. expected: those of them that must be exactly so."""
        names = ["who", "asks", "policy", "saw", "issuer", "code"]
        wrong = {k: v for k, v in expected.items() if dict(zip(names, cells))[k] != v}
        self.n_rows += 1
        self.n_wrong += bool(wrong)
        self.line(["NO" if wrong else "ok", *cells])
        for key, value in wrong.items():
            print(f"   ^ {key} should have been: {value}")

    def fact(self, text, true):
        """A sentence that must be true."""
        self.n_rows += 1
        self.n_wrong += not true
        print(f"{'ok' if true else 'NO'} {text}", flush=True)


class Demo:
    """The stories, told on one laboratory with one gateway."""

    def __init__(self, args):
        self.args = args
        self.table = Table()
        self.out = Path(args.build).resolve() / "demo"

    # ---- setting the stage

    def open(self):
        from lab import Lab
        step("making three network namespaces, an internet of web servers, a resolver ...")
        self.lab = Lab(keep_big=8 << 20)
        step("making the gateway's own certification authority, starting the gateway ...")
        clock = datetime.datetime.utcnow().strftime("%Y-%m-%dT10:00:00Z")
        text = POLICY.read_text().replace("ROOTS", str(self.lab.pki.roots))
        self.gw = self.lab.gateway(text, start=False, fresh_ca=True, clock=clock)
        shutil.rmtree(self.gw.state, ignore_errors=True)   # made with the laboratory's name; ours has another
        self.gw.init_ca(OUR_ORG)
        self.text = text
        self.gw.start()
        step("")
        self.clock = clock

    def close(self):
        if hasattr(self, "lab"):
            self.lab.close()

    # ---- asking and looking

    def issuer(self, answer):
        if not answer.issuer:
            return "-"
        return "our gateway" if OUR_ORG in answer.chain else answer.issuer.replace(" (RSA)", "").replace(" (EC)", "")

    def event_after(self, n_lines, who, host):
        """The event of what `who` just did with `host`: the exchange, or the flow where nothing was decrypted."""
        from client import PEOPLE
        from space import wait_for

        def look():
            found = []
            for line in self.gw.log_lines()[n_lines:]:
                e = json.loads(line)
                name = e.get("http", {}).get("hostname") or e.get("tls", {}).get("sni") or ""
                if e.get("src_ip") in (PEOPLE[who].v4, PEOPLE[who].v6) and name == host:
                    found.append(e)
            exchanges = [e for e in found if e["event_type"] == "http"]
            return exchanges or found
        return wait_for(f"the log line of {host}", look, 5)[-1]

    def ask(self, who, url, *options, host=None, show=None, **expected):
        """One request by curl and its row."""
        host = host or url.split("/")[2].split(":")[0]
        n = len(self.gw.log_lines())
        a = self.lab.curl(who, url, "-H", "Accept: text/html", "-H", "Accept-Language: en", *options)
        event = self.event_after(n, who, host)
        perron = event["perron"]
        action = perron.get("action", "-")
        saw = f"{a.status}" + (" page" if a.code else "") if a.exit_code == 0 else \
            "TLS alert" if "alert" in a.error else f"curl error {a.exit_code}"
        self.table.row([who, show or url, action, saw, self.issuer(a), a.code or perron.get("code", "-")], expected)
        if perron.get("rule"):
            lifted = f", lifted by grant {perron['grant']}" if perron.get("grant") else ""
            print(f"   rule: {perron['rule']}{lifted}")
        return a, event

    # ---- the stories

    def story_a(self):
        title("a", "One address, two people: the pupil is blocked, the agent is served. Both were decrypted.")
        self.table.head()
        self.page, self.page_event = self.ask("pupil", "https://video.example/", policy="block", saw="403 page",
                                              issuer="our gateway")
        self.ask("agent", "https://video.example/", policy="allow", saw="200", issuer="our gateway")

    def story_b(self):
        title("b", "What is nobody's business: a bank is not decrypted, and nothing of a guest's phone is.")
        self.table.head()
        self.ask("pupil", "https://www.bank.example/", policy="exempt", saw="200", issuer="Public Bank CA")
        self.ask("guest", "https://www.school.example/", saw="200", issuer="Public Web CA")
        self.ask("guest", "https://social.example/", policy="block", saw="TLS alert")
        say("""
            The issuer is the site's own: the gateway passed the bytes on and holds no key to them. A name that
            is blocked for guests gets a TLS alert: a page would need a certificate that a phone does not know.
            """)

    def story_c(self):
        title("c", "Tricks and bad certificates: stopped before the origin hears of it.")
        self.table.head()
        self.ask("agent", "https://expired.example/", saw="403 page", issuer="our gateway")
        self.ask("agent", "https://cdn.example/", "-H", "Host: casino.example", host="casino.example",
                 show="cdn.example, Host: casino", policy="block", saw="403 page", issuer="our gateway")
        self.second_request()
        seen = [r for r in self.lab.requests() if r["host"] in ("expired.example", "casino.example")]
        self.table.fact(f"requests for these names in the origins' own logs: {len(seen)}", not seen)

    def second_request(self):
        """On one connection: an allowed request, then one to a blocked host."""
        from client import read_response
        from sites import SITES
        n = len(self.gw.log_lines())
        sock = self.lab.connect("agent", SITES["cdn.example"].v4, 443)
        tls = self.lab.tls("agent", sock, "cdn.example")
        stream = tls.makefile("rb")
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\n\r\n")
        first, _, _ = read_response(stream)
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: casino.example\r\n\r\n")
        status, headers, _ = read_response(stream)
        tls.close()
        event = self.event_after(n, "agent", "casino.example")
        self.table.row(["agent", f"cdn ({first}), then casino", event["perron"]["action"], f"{status} page",
                        "our gateway", headers.get("perron-code", "-")],
                       {"policy": "block", "saw": "403 page", "asks": "cdn (200), then casino"})

    def story_d(self):
        title("d", "The page that the pupil of (a) saw, and what the helpdesk finds under its code.")
        self.out.mkdir(parents=True, exist_ok=True)
        page = self.out / "block-page.html"
        page.write_bytes(self.page.body)
        self.table.fact(f"saved as {page}", self.page.code in self.page.text)
        n = len(self.gw.log_lines())
        shot = self.screenshot()
        self.table.fact(f"screenshot {shot}", shot.exists() and shot.stat().st_size > 5000)
        visit = self.event_after(n, "pupil", "video.example")
        print(f"   (Chromium, with our authority installed; a visit of its own, so it shows {visit['perron']['code']})")
        events = [e for e in self.gw.by_code(self.page.code) if e["event_type"] == "http"]
        self.table.fact(f"the log has one exchange with code {self.page.code}:", len(events) == 1)
        e = events[-1]
        p = e["perron"]
        for name, value in (("when", e.get("timestamp")), ("who", f"{p.get('user', '-')} (a pseudonym), {e['src_ip']}"),
                            ("asked for", f"{e['http']['hostname']}{e['http'].get('url', '')}"),
                            ("category", p.get("category")), ("rule", p.get("rule")),
                            ("written at", os.path.basename(p.get("rule_at", "-"))),
                            ("reason", p.get("reason")), ("policy", p.get("snapshot")),
                            ("microseconds", ", ".join(f"{k} {v}" for k, v in p.get("times_us", {}).items()))):
            print(f"   {name:12}{value}")
        self.give_back(self.out)

    def screenshot(self):
        """The block page in a real browser that knows our CA."""
        home = self.lab.folder / "browser"
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
        subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], **quiet)
        subprocess.run(["certutil", "-d", f"sql:{store}", "-A", "-t", "C,,", "-n", "gateway", "-i",
                        str(self.lab.clients.our_ca)], **quiet)
        shot = self.out / "block-page.png"
        shot.unlink(missing_ok=True)
        cmd = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
               f"--user-data-dir={home}/profile", "--lang=en", "--window-size=1000,900", f"--screenshot={shot}",
               "https://video.example/"]
        env = {**os.environ, "HOME": str(home)}
        step("taking a screenshot with Chromium ...")
        try:
            subprocess.run(self.lab.clients_space.enter(*cmd), env=env, timeout=90, stdin=subprocess.DEVNULL, **quiet)
        except subprocess.TimeoutExpired:
            pass
        step("")
        return shot

    def story_e(self):
        title("e", "One line of policy changed and reloaded while a download runs; then a typo.")
        text = self.gw.file.read_text()
        line = "  block    category streaming  for pupils\n"
        assert line in text
        body = self.lab.folder / "download"
        cmd = self.lab.clients.curl_command("pupil", "https://files.example/slow/big.bin", "--output", str(body))
        running = subprocess.Popen(self.lab.clients_space.enter(*cmd), stdin=subprocess.DEVNULL)
        time.sleep(1.5)
        status, said = self.gw.reload(text.replace(line, "  allow    category streaming  for pupils\n"))
        self.table.fact("reloaded with `allow category streaming for pupils` while a download of 8 MiB runs",
                        status == 0 and running.poll() is None)
        self.table.head()
        self.ask("pupil", "https://video.example/", policy="allow", saw="200", issuer="our gateway")
        step("waiting for the download to end ...")
        code = running.wait(60)
        step("")
        size = body.stat().st_size if body.exists() else 0
        self.table.fact(f"the download ended whole: {size} bytes", code == 0 and size == 8 << 20)

        status, said = self.gw.reload(self.gw.file.read_text().replace("forbid   category gambling",
                                                                      "forbid   categry gambling"))
        print("   perronctl reload says of a file with a typo:")
        print(textwrap.indent(said.rstrip().replace(f"{self.gw.folder}/", ""), "   | "))
        self.table.fact("refused, with the place and a caret", status == 1 and "^" in said)
        self.table.head()
        self.ask("pupil", "https://video.example/", policy="allow", saw="200", issuer="our gateway")
        self.ask("agent", "https://casino.example/", policy="block", saw="403 page", issuer="our gateway")

    def told(self, said, keep=None):
        """What a command said, without the demonstration's own paths."""
        lines = said.rstrip().replace(f"{self.gw.folder}/", "").splitlines()
        for line in lines:
            if not keep or keep(line):
                print("\n".join(textwrap.wrap(line, 124, initial_indent="   | ", subsequent_indent="   |     ")) or "   |")

    def story_f(self):
        title("f", "Why was that, what if, and just this once: explain, what-if, grant.")
        self.gw.reload(self.text)
        code = self.page.code
        print(f"   perronctl explain {code}   (the code of the page in (a))")
        status, said, _ = self.gw.ctl_run("explain", "--brief", code)
        self.told(said, lambda line: not line.startswith(("snapshot", "flow", "spent")))
        self.table.fact("decided again from its record, under the policy of then: the same",
                        status == 0 and "under the same snapshot: the same" in said)

        new = self.gw.folder / "proposed.policy"
        new.write_text(self.text.replace("web {\n", 'web {\n  block    domain "cdn.example"  for agents\n'))
        print('   perronctl what-if proposed.policy   (the policy of now and `block domain "cdn.example" for agents`)')
        status, said, _ = self.gw.ctl_run("what-if", new)
        self.told(said)
        changed = json.loads(self.gw.ctl_run("--json", "what-if", new)[1])["changed"]
        self.table.fact(f"of what was asked today, {changed} decisions would have been others", changed > 0)

        tomorrow = (datetime.datetime.utcnow() + datetime.timedelta(days=1)).strftime("%Y-%m-%d")
        grant = ["--for", "user", "p.dupont", "--until", tomorrow, "--reason", "film of the lesson", "--by", "helpdesk",
                 "--yes"]
        status, said, err = self.gw.ctl_run("grant", "video.example", *grant)
        print("   perronctl grant video.example --for user p.dupont --until tomorrow --reason \"film of the lesson\" ...")
        self.told(said + err)
        self.table.fact("granted, live at once, for this pupil alone", status == 0)
        self.table.head()
        self.ask("pupil", "https://video.example/", policy="allow", saw="200", issuer="our gateway")
        status, said, err = self.gw.ctl_run("grant", "casino.example", *grant)
        self.told(said + err)
        self.table.fact("what a `forbid` blocks cannot be granted, and the answer names the rule",
                        status == 1 and "forbid" in err)

    def story_g(self):
        title("g", "Nothing twice, and everything on record: HTTP/2, sessions, the register of leaves.")
        self.table.head()
        for _ in range(2):
            _, event = self.ask("agent", "https://www.school.example/", "--http2", policy="allow", saw="200",
                                issuer="our gateway")
        self.table.fact("HTTP/2 with the client and with the origin, each request judged by itself",
                        event["http"].get("protocol") == "HTTP/2")
        counters = json.loads(self.gw.ctl_run("--json", "show", "counters")[1])
        spared = counters["upstream_resumed"] + counters["pool_hits"]
        self.table.fact(f"handshakes with origins that were resumed, or not needed at all: {spared}", spared > 0)
        print("   perronctl ca log --name '*.bank.example'")
        status, said, err = self.gw.ctl_run("ca", "log", "--name", "*.bank.example")
        self.told(said + err)
        self.table.fact("the register is whole, and no certificate was ever made for the bank",
                        status == 0 and said.startswith("never"))

    # ---- for the reader

    def give_back(self, folder):
        """What we leave belongs to who called sudo."""
        owner = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
        if all(owner):
            for path in (folder.parent, folder, *folder.iterdir()):
                os.chown(path, int(owner[0]), int(owner[1]))

    def shell(self):
        from doorway import Doorway
        self.gw.reload(self.text)
        doors = [Doorway(self.lab.clients, who, ("10.32.0.1", 3128), port)
                 for who, port in (("pupil", 3128), ("agent", 3129))]
        ca = self.out / "gateway-ca.pem"
        self.out.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.lab.clients.our_ca, ca)
        self.give_back(self.out)
        say(f"""

            The gateway keeps running until you leave this shell (exit or Ctrl-D), which stands in the
            network namespace of the clients. Try:
                curl -i https://video.example/                            as the pupil
                curl -i --interface 10.32.2.10 https://video.example/     as the agent
                curl -v --interface 10.112.1.10 https://www.bank.example/ as the guest
                {self.args.build}/perronctl -d {self.gw.state} show flows
                tail -f {self.gw.logs}/eve.json
            For your own browser: HTTP proxy {doors[0].address} (you are the pupil) or {doors[1].address} (the agent),
            for all protocols; import the authority {ca} into a throw-away profile.
            The policy, as it was at the beginning: {self.gw.file}
            After a change: {self.args.build}/perronctl -d {self.gw.state} reload
            """)
        env = {**os.environ, "CURL_CA_BUNDLE": str(self.lab.clients.store("pupil")), "PS1": "perron-demo:clients# ",
               "http_proxy": "", "https_proxy": "", "no_proxy": "*"}
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        subprocess.run(self.lab.clients_space.enter("bash", "--norc", "-i"), env=env, check=False)
        for door in doors:
            door.close()

    def run(self):
        start = time.monotonic()
        say("""
            Perron, a gateway that looks into TLS, in seven stories.
            Three networks on this machine, closed to the outside: clients (a pupil's laptop, an agent's PC,
            a guest's phone that does not know our authority), the gateway, an internet of real web servers.
            """)
        self.open()
        say(f"The gateway's clock says {self.clock}. Policy: tests/demo/demo.policy ({self.n_rules()} rules).")
        for story in (self.story_a, self.story_b, self.story_c, self.story_d, self.story_e, self.story_f,
                      self.story_g):
            story()
        print()
        n, wrong = self.table.n_rows, self.table.n_wrong
        print(f"{n - wrong} of {n} lines came out as they should, in {time.monotonic() - start:.0f} seconds.")
        if self.args.shell:
            self.shell()
        return 1 if wrong else 0

    def n_rules(self):
        verbs = ("forbid", "block", "allow", "exempt", "inspect", "on")
        return sum(line.split()[:1] != [] and line.split()[0] in verbs for line in POLICY.read_text().splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--shell", action="store_true")
    args = parser.parse_args()
    os.environ["PERRON_BUILD"] = str(Path(args.build).resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    demo = Demo(args)
    try:
        return demo.run()
    except KeyboardInterrupt:
        print("\nstopped; cleaning up")
        return 130
    except AssertionError as e:
        print(f"\nNO {e}")
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.close()


if __name__ == "__main__":
    sys.exit(main())
