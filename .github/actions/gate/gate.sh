#!/usr/bin/env bash
# The steps of the action; its inputs come as GATE_…. Works with bash 3.2.
#
#   gate.sh key      what the programs are built from, as key=HASH
#   gate.sh build    builds them, unless they are there
#   gate.sh judge    judges; exit codes 0 pass, 1 regressed, 2 inconclusive where GATE_STRICT, 3 missing or broken
#
# Programs are in $VLM_BENCH_BIN, else in $RUNNER_TEMP/vlm-bench/bin; results go to a folder of each call beside it.
set -euo pipefail

root=$(cd "$(dirname "$0")/../../.." && pwd)
work=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/vlm-bench
bin=${VLM_BENCH_BIN:-$work/bin}

sha256() { if command -v sha256sum > /dev/null; then sha256sum; else shasum -a 256; fi; }

key() {
    cd "$root"
    hash=$(find Cargo.lock Cargo.toml rust-toolchain.toml harness report store templates -type f |
        LC_ALL=C sort | tr '\n' '\0' | xargs -0 cat | sha256 | cut -c 1-16)
    echo "key=$hash"
}

# Without a backend: nothing here infers.
build() {
    [ ! -x "$bin/report" ] || return 0
    cd "$root"
    CARGO_TARGET_DIR=$work/target cargo build --release --locked --bins --no-default-features \
        --package harness --package report --package store
    mkdir -p "$bin"
    for program in harness report store; do
        cp "$work/target/release/$program" "$bin/$program"
    done
}

# A database, or one made of other tools' results. Both sides were measured on this machine; the base's time
# only has to lie before the candidate's.
database() {
    input=$1 db=$2
    shift 2
    if [ -f "$input" ] && [ "$(head -c 13 "$input")" = "SQLite format" ]; then
        cp "$input" "$db"
    else
        rm -f "$db"
        "$bin/store" --db "$db" import "$input" --machine "${RUNNER_NAME:-this machine}" "$@" >&2
    fi
}

compare() {
    if [ -n "${GATE_HEAD:-}" ]; then
        set -- duet --base "${GATE_BASE:-}" --head "$GATE_HEAD" --name "${GATE_NAME:-benchmark}" --json
        [ "${GATE_REPORTED:-}" != true ] || set -- "$@" --reported
        "$bin/harness" "$@"
    else
        database "${GATE_CANDIDATE:-}" "$results/head.db" || true
        database "${GATE_BASELINE:-}" "$results/base.db" --at 2000-01-01T00:00:00Z || true
        set -- check --candidate "$results/head.db" --baseline "$results/base.db" --json
        [ "${GATE_COUNTERS:-}" != true ] || set -- "$@" --counters
        "$bin/report" "$@"
    fi
}

judge() {
    mkdir -p "$work"
    results=$(mktemp -d "$work/gate.XXXXXX")
    if [ -n "${GATE_HEAD:-}" ] && [ "${GATE_COUNTERS:-}" = true ]; then
        echo "::warning title=gate::counters is ignored: commands are timed, they have none"
    fi
    compare > "$results/judgement.json" || true
    set -- check --judgement "$results/judgement.json"
    [ -z "${GATE_WAIVERS:-}" ] || set -- "$@" --waivers "$GATE_WAIVERS"
    "$bin/report" "$@" --format markdown > "$results/comment.md" || true
    code=0
    "$bin/report" "$@" --format github || code=$?
    verdict=$("$bin/report" "$@" --json | sed -n 's/^  "verdict": "\([a-z]*\)".*/\1/p' || true)
    {
        echo "verdict=$verdict"
        echo "judgement=$results/judgement.json"
        echo "comment=$results/comment.md"
    } >> "${GITHUB_OUTPUT:-/dev/stdout}"
    [ "$code" != 2 ] || [ "${GATE_STRICT:-}" = true ] || code=0
    return "$code"
}

case "${1:-}" in
    key | build | judge) "$1" ;;
    *) sed -n '2,/^#$/p' "$0" >&2; exit 2 ;;
esac
