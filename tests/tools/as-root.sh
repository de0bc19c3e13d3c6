#!/bin/sh
# as-root.sh COMMAND...: runs the command as root, by sudo where we are not root, and says so.
if [ "$(id -u)" -eq 0 ]; then
    exec "$@"
fi
if ! command -v sudo >/dev/null; then
    echo "perron: this needs root (network namespaces, packages) and there is no sudo here: run it as root" >&2
    exit 1
fi
echo "perron: this needs root; using sudo" >&2
exec sudo "$@"
