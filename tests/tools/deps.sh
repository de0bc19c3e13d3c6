#!/bin/sh
# deps.sh [--say] KIND...: installs those packages of packages.txt that are missing, and nothing else.
#
# Says what it will download before it does. Uses sudo where we are not root. No service is started by the installation
# (a policy-rc.d answering 101 stands in its way meanwhile) and none is left enabled that was not enabled before.
# Quiet when nothing is missing; with --say one line tells so.
# For its own test: PERRON_ROOT is put before every path outside our tree.
set -eu

here=$(dirname "$0")
root=${PERRON_ROOT:-}
policy=$root/usr/sbin/policy-rc.d
say=
if [ "${1:-}" = --say ]; then
    say=yes
    shift
fi

missing() {
    for kind in "$@"; do
        awk -v kind="$kind" '$1 == kind { print $2 }' "$here/packages.txt"
    done | sort -u | while read -r package; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *" ok installed") ;;
        *) echo "$package" ;;
        esac
    done
}

# Names of units and old-style services that start at boot, one a line.
enabled() {
    {
        find "$root/etc/systemd/system" -type l 2>/dev/null | sed 's,.*/,,'
        find "$root/etc" -path '*/rc[2345].d/S*' 2>/dev/null | sed 's,.*/S[0-9]*,old:,'
    } | LC_ALL=C sort -u
}

tidy() {
    if [ -n "${made_policy:-}" ]; then
        rm -f "$policy"
        made_policy=
    fi
    if [ -n "${before:-}" ]; then
        after=$(mktemp)
        enabled >"$after"
        LC_ALL=C comm -13 "$before" "$after" | while read -r unit; do
            disable "$unit"
        done
        rm -f "$before" "$after"
        before=
    fi
}

disable() {
    case $1 in
    old:*) update-rc.d "${1#old:}" disable >/dev/null 2>&1 || true ;;
    *)
        systemctl disable --now "$1" >/dev/null 2>&1 || systemctl disable "$1" >/dev/null 2>&1 || true
        find "$root/etc/systemd/system" -type l -name "$1" -delete
        ;;
    esac
}

known() {
    apt-get install --simulate --no-install-recommends "$@" >/dev/null 2>&1
}

wanted=$*
# shellcheck disable=SC2046 # package names are words
set -- $(missing "$@")
if [ $# -eq 0 ]; then
    [ -z "$say" ] || echo "perron: every package that is needed is installed; nothing to download"
    exit 0
fi
if [ "$(id -u)" -ne 0 ] && [ -z "$root" ]; then
    if ! command -v sudo >/dev/null; then
        echo "perron: these packages are missing: $*" >&2
        echo "perron: installing them needs root and there is no sudo here: run this as root" >&2
        exit 1
    fi
    echo "perron: installing packages needs root; using sudo"
    # shellcheck disable=SC2086 # kinds are words
    exec sudo sh "$0" $wanted
fi

export DEBIAN_FRONTEND=noninteractive
if ! known "$@"; then
    echo "perron: reading Debian's package lists (apt-get update)"
    apt-get update -qq
    if ! known "$@"; then
        echo "perron: apt cannot install these packages; it says:" >&2
        apt-get install --simulate --no-install-recommends "$@" 2>&1 | grep -v '^[A-Z][a-z]*ing ' >&2 || true
        exit 1
    fi
fi

echo "perron: installing $# packages: $*"
apt-get install --assume-no --no-install-recommends "$@" 2>/dev/null |
    sed -n 's/^Need to get \(.*\) of archives.*/perron: \1 to download/p; s/^After this op[a-z]*, \(.*\) of add.*/perron: \1 on disk/p'

before=$(mktemp)
enabled >"$before"
trap tidy EXIT
trap 'exit 130' INT TERM HUP
if [ ! -e "$policy" ]; then
    made_policy=yes
    mkdir -p "$(dirname "$policy")"
    printf '#!/bin/sh\n# put here by perron for the time of an installation\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
install_now() {
    apt-get install -y -qq --no-install-recommends "$@" >"$before.log" 2>&1
}
if ! install_now "$@"; then
    # Package lists that are a few days old name files that the mirror no longer has.
    apt-get update -qq
    if ! install_now "$@"; then
        tail -n 20 "$before.log" >&2
        rm -f "$before.log"
        echo "perron: the installation failed; apt's last lines are above" >&2
        exit 1
    fi
fi
rm -f "$before.log"
