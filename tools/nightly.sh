#!/usr/bin/env bash
# What a night consists of, on a runner or a desk. Works with bash 3.2.
#
#   tools/nightly.sh measure DIR [OPTION…]    harness run with these options; DIR/night.db, a file a session in DIR/runs
#   tools/nightly.sh keep DIR [REMOTE]        adds DIR/runs to the branch
#   tools/nightly.sh collect DIR [REMOTE]     with all nights of the branch: DIR/all.db, DIR/site, DIR/changes.md
#
# collect takes results.db of the work tree along (imported history, accepted changes), what acknowledged.txt beside
# it accepts (a line ID REASON each, # begins a comment), and what DIR/issue.md tells already; DIR/news holds 1 where
# changes.md tells more, else 0. A file that cannot be read is left out with a warning. Programs come from
# $VLM_BENCH_BIN, else target/release.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
PATH=${VLM_BENCH_BIN:-$root/target/release}:$PATH
command=${1:-}
folder=${2:-}
case "$command" in
    measure | collect | keep) [ -n "$folder" ] ;;
    *) false ;;
esac || { sed -n '2,/^#$/p' "$0" >&2; exit 2; }
shift 2
mkdir -p "$folder"

# Failed and void cells are results too: the night is kept, and a warning says so.
measure() {
    code=0
    harness run --db "$folder/night.db" "$@" || code=$?
    [ "$code" != 1 ] || warn "some cells failed or hold void figures"
    # What was stored before something stopped the run is kept too.
    if [ -f "$folder/night.db" ]; then
        store --db "$folder/night.db" verify
        store --db "$folder/night.db" export --into "$folder/runs"
    fi
    [ "$code" -le 1 ] || exit "$code"
}

# For the job's log and its summary.
warn() {
    echo "::warning title=nightly::$1"
    [ -z "${GITHUB_STEP_SUMMARY:-}" ] || printf '%s\n\n' "Warning: $1" >> "$GITHUB_STEP_SUMMARY"
}

# Changes that the repository accepts: id, day, reason. What is wrong with a line is told, and hinders nothing.
accept() {
    [ -f "$root/acknowledged.txt" ] || return 0
    while read -r id on reason || [ -n "$id" ]; do
        case "$id" in "" | "#"*) continue ;; esac
        report changes --db "$folder/all.db" "--acknowledge=$id" "--on=$on" "--reason=$reason" 2> "$folder/why" ||
            warn "acknowledged.txt: $(head -n 1 "$folder/why")"
    done < "$root/acknowledged.txt"
}

# Folders of exported sessions into the database. A bad file costs its own session alone.
bring_in() {
    : > "$folder/import.log"
    [ $# != 0 ] || return 0
    code=0
    store --db "$folder/all.db" import --keep-going "$@" > "$folder/import.log" 2> "$folder/why" || code=$?
    while IFS= read -r line; do warn "${line#store: }"; done < "$folder/why"
    [ "$code" -le 1 ] || exit "$code"
}

collect() {
    "$root/tools/results.sh" pull "$folder/kept" "$@"
    rm -f "$folder/all.db"
    [ ! -f "$root/results.db" ] || cp "$root/results.db" "$folder/all.db"
    set --
    for part in "$folder/kept" "$folder/runs"; do
        [ -z "$(find "$part" -name '*.json' 2> /dev/null | head -n 1)" ] || set -- "$@" "$part"
    done
    bring_in "$@"
    store --db "$folder/all.db" verify
    accept
    report html --db "$folder/all.db" --out "$folder/site"
    [ -f "$folder/issue.md" ] || : > "$folder/issue.md"
    code=0
    report changes --db "$folder/all.db" --format markdown --known "$folder/issue.md" > "$folder/changes.md" || code=$?
    [ "$code" -le 1 ] || exit "$code"
    echo "$code" > "$folder/news"
}

keep() { "$root/tools/results.sh" push "$folder/runs" "$@"; }

"$command" "$@"
