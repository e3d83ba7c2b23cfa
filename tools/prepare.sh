# shellcheck shell=bash
# For scripts that make a folder of things fetched and built: whole or not at all, and not again while nothing changed.
# They call `place FOLDER`, set `identity`, leave if `is_ready`, and call `begin`, `step` by step, `finish`. Works with
# bash 3.2.

self=$(basename "$0" .sh)
python=python3

fail() {
    echo "$self: $*" >&2
    exit 1
}

# Of files, or of what comes in.
sha256() { if command -v sha256sum > /dev/null; then cat "$@" | sha256sum; else cat "$@" | shasum -a 256; fi | cut -d' ' -f1; }

# Sets `folder`, absolute; its parent is there then.
place() {
    mkdir -p "$(dirname "$1")"
    folder=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
}

# shellcheck disable=SC2154 # set by the script
is_ready() { [ "$(cat "$folder/identity" 2> /dev/null)" = "$identity" ]; }

# Sets `work`, the folder in the making.
begin() {
    work=$(mktemp -d "$folder.XXXXXX")
    log=$folder.log
    : > "$log"
    doing=""
    trap ended EXIT
}

# Not `step || fail`: behind `||` bash would go on after an error inside.
ended() {
    rm -rf "$work"
    [ -z "$doing" ] || echo "$self: $doing failed: the end of $log says why" >&2
}

# Says what it does; the words of the tools go to the log.
step() {
    doing=$1
    echo "$self: $1"
    shift
    "$@" >> "$log" 2>&1
    doing=""
}

# A wheel that must have this digest, unpacked.
wheel() {
    printf '%s --hash=sha256:%s\n' "$1" "$2" > "$work/wanted.txt"
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
        --dest "$work/wheels" --requirement "$work/wanted.txt"
    "$python" -m zipfile -e "$work/wheels/$(tr - _ <<< "${1%%=*}")"-*.whl "$work/$3"
}

# Without the files named, which were of use on the way.
finish() {
    (cd "$work" && rm -rf wheels wanted.txt "$@")
    echo "$identity" > "$work/identity"
    rm -rf "$folder"
    chmod 755 "$work"
    mv "$work" "$folder"
    rm -f "$log"
}
