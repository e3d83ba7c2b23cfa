#!/usr/bin/env bash
# What a night consists of, on a runner or a desk. Works with bash 3.2.
#
#   tools/nightly.sh measure DIR [OPTION…]    harness run with these options; DIR/night.db, a file a session in DIR/runs
#   tools/nightly.sh collect DIR [REMOTE]     with all nights of the branch: DIR/all.db, DIR/site, DIR/changes.md
#   tools/nightly.sh keep DIR [REMOTE]        adds DIR/runs to the branch
#
# collect takes results.db of the work tree along (imported history, accepted changes), and what DIR/issue.md
# tells already; DIR/news holds 1 where changes.md tells more, else 0. Programs come from $VLM_BENCH_BIN, else
# target/release.
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
    [ "$code" -le 1 ] || exit "$code"
    [ "$code" = 0 ] || echo "::warning title=nightly::some cells failed or hold void figures"
    store --db "$folder/night.db" verify
    store --db "$folder/night.db" export --into "$folder/runs"
}

collect() {
    "$root/tools/results.sh" pull "$folder/kept" "$@"
    rm -f "$folder/all.db"
    [ ! -f "$root/results.db" ] || cp "$root/results.db" "$folder/all.db"
    mkdir -p "$folder/runs"
    # In as many calls as command lines have room for.
    find "$folder/kept" "$folder/runs" -name '*.json' \
        -exec store --db "$folder/all.db" import {} + > "$folder/import.log"
    store --db "$folder/all.db" verify
    report html --db "$folder/all.db" --out "$folder/site"
    [ -f "$folder/issue.md" ] || : > "$folder/issue.md"
    code=0
    report changes --db "$folder/all.db" --format markdown --known "$folder/issue.md" > "$folder/changes.md" || code=$?
    [ "$code" -le 1 ] || exit "$code"
    echo "$code" > "$folder/news"
}

keep() { "$root/tools/results.sh" push "$folder/runs" "$@"; }

"$command" "$@"
