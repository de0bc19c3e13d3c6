"""deps.sh against pretended apt-get, dpkg-query and systemctl: what is installed, and what is left behind."""
import os
import stat
import subprocess
from pathlib import Path

import pytest

DEPS = Path(__file__).resolve().parent / "deps.sh"

STUBS = {
    # Everything is installed but what FAKE_MISSING names.
    "dpkg-query": '''case " $FAKE_MISSING " in *" $4 "*) exit 1 ;; esac; echo "install ok installed"''',
    "apt-get": '''
echo "apt-get $*" >> "$FAKE_LOG"
case "$*" in
*--simulate*) [ ! -e "$PERRON_ROOT/no-lists" ] ;;
*--assume-no*) echo "Need to get 12.3 MB of archives."
    echo "After this operation, 45.6 MB of additional disk space will be used."; exit 1 ;;
update*) rm -f "$PERRON_ROOT/no-lists" ;;
*-y*) cp "$PERRON_ROOT/usr/sbin/policy-rc.d" "$PERRON_ROOT/seen-policy"
    [ -z "$FAKE_FAIL" ] || { echo "E: broken"; exit 100; }
    ln -s /lib/systemd/system/nginx.service "$PERRON_ROOT/etc/systemd/system/multi-user.target.wants/nginx.service"
    ;;
esac''',
    "systemctl": 'echo "systemctl $*" >> "$FAKE_LOG"',
    "id": "echo ${FAKE_UID:-0}",
    "sudo": 'echo "sudo $*" >> "$FAKE_LOG"',
}


@pytest.fixture
def box(tmp_path):
    """A pretended machine with one service of the user's own that is enabled."""
    (tmp_path / "bin").mkdir()
    for name, text in STUBS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    root = tmp_path / "root"
    (root / "usr/sbin").mkdir(parents=True)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "users-own.service").symlink_to("/lib/systemd/system/users-own.service")
    return tmp_path


def run(box, *kinds, missing="", **env):
    log = box / "log"
    log.touch()
    env = {"PATH": f"{box}/bin:/usr/bin:/bin", "PERRON_ROOT": str(box / "root"), "FAKE_MISSING": missing,
           "FAKE_LOG": str(log), "FAKE_FAIL": "", **env}
    done = subprocess.run(["sh", str(DEPS), *kinds], env={**os.environ, **env}, capture_output=True, text=True, check=False)
    return done, log.read_text()


def test_quiet_when_nothing_is_missing(box):
    done, log = run(box, "build", "test")
    assert (done.returncode, done.stdout, done.stderr, log) == (0, "", "", "")


def test_installs_only_what_is_missing_and_says_how_much(box):
    done, log = run(box, "build", "test", missing="nginx-light socat")
    assert done.returncode == 0, done.stderr
    assert "12.3 MB to download" in done.stdout and done.stdout.index("to download") > 0
    installs = [line for line in log.splitlines() if " -y " in line]
    assert len(installs) == 1 and installs[0].endswith("nginx-light socat")


def test_no_service_is_started_or_left_enabled(box):
    done, log = run(box, "test", missing="nginx-light")
    assert done.returncode == 0, done.stderr
    policy = box / "root/seen-policy"
    assert "exit 101" in policy.read_text() and policy.stat().st_mode & stat.S_IXUSR
    assert not (box / "root/usr/sbin/policy-rc.d").exists()
    wants = sorted(p.name for p in (box / "root/etc/systemd/system/multi-user.target.wants").iterdir())
    assert wants == ["users-own.service"]
    assert "disable --now nginx.service" in log and "users-own" not in log


def test_policy_of_the_machine_stays(box):
    own = box / "root/usr/sbin/policy-rc.d"
    own.write_text("#!/bin/sh\nexit 104\n")
    run(box, "test", missing="nginx-light")
    assert own.read_text() == "#!/bin/sh\nexit 104\n"


def test_failed_installation_says_so_and_cleans_up(box):
    done, _ = run(box, "test", missing="nginx-light", FAKE_FAIL="yes")
    assert done.returncode == 1 and "E: broken" in done.stderr
    assert not (box / "root/usr/sbin/policy-rc.d").exists()


def test_reads_package_lists_first_where_there_are_none(box):
    (box / "root/no-lists").touch()
    done, log = run(box, "test", missing="nginx-light")
    assert done.returncode == 0, done.stderr
    assert "apt-get update" in log
