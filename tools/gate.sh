#!/usr/bin/env bash
# The gate of a pull request, on a runner or a desk. Works with bash 3.2.
#
#   tools/gate.sh build COMMIT DIR          COMMIT to DIR/base, the work tree to DIR/head
#   tools/gate.sh counters DIR [OPTION…]    both measure once; counters and answers are judged: DIR/counters.json
#   tools/gate.sh duet DIR [OPTION…]        both in turn; clocks are judged: DIR/duet.json
#   tools/gate.sh verdict DIR               all of DIR/*.json together, for a job's log
#
# build compiles with the features in GATE_FEATURES, such as harness/mlx,harness/metal,harness/accelerate.
# Options are those of harness run and harness ab. A waivers.toml beside Cargo.toml is applied by what judges, so
# that every reader of a judgement sees the same. Exit codes of verdict: 0 pass, and where the figures do not
# tell; 1 regressed; 3 missing or broken. The others fail only where they could not write their judgement.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
command=${1:-}
case "$command" in
    build) [ $# = 3 ] && commit=$2 && shift ;;
    counters | duet | verdict) [ $# -ge 2 ] ;;
    *) false ;;
esac || { sed -n '2,/^#$/p' "$0" >&2; exit 2; }
folder=$2
shift 2
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
head=$folder/head
base=$folder/base
# Relative to the root, where what judges is called: its name is in the comment.
waivers=waivers.toml
[ -f "$root/$waivers" ] || waivers=

programs() {
    mkdir -p "$1"
    for program in harness report store; do
        cp "$2/release/$program" "$1/$program"
    done
}

compile() {
    (cd "$1" && CARGO_TARGET_DIR=$target cargo build --release --locked --workspace --bins \
        ${GATE_FEATURES:+--features "$GATE_FEATURES"})
}

# One target folder: what both depend on is compiled once.
build() {
    target=${CARGO_TARGET_DIR:-$root/target}
    tree=$folder/tree
    # Nothing of an earlier call may stand in for what does not build.
    rm -rf "$tree" "$base" "$head" "$folder"/*.json
    git -C "$root" worktree add --force --detach "$tree" "$commit"
    compile "$tree"
    programs "$base" "$target"
    compile "$root"
    programs "$head" "$target"
}

# A judgement was written, whatever it says.
judged() {
    [ -s "$1" ] || { echo "gate: no judgement in $1" >&2; return 3; }
}

# Failed cells are rows of the judgement; only what stores nothing is missing there.
counters() {
    cd "$root"
    # What an earlier call measured must not stand in for a build that fails.
    rm -f "$folder"/base.db* "$folder"/head.db*
    "$base/harness" run --db "$folder/base.db" "$@" || true
    "$head/harness" run --db "$folder/head.db" "$@" || true
    "$head/report" check --candidate "$folder/head.db" --baseline "$folder/base.db" --counters --json \
        ${waivers:+--waivers "$waivers"} > "$folder/counters.json" || true
    judged "$folder/counters.json"
}

duet() {
    cd "$root"
    "$head/harness" ab --base "$base/harness" --head "$head/harness" --json \
        ${waivers:+--waivers "$waivers"} "$@" > "$folder/duet.json" || true
    judged "$folder/duet.json"
}

verdict() {
    set --
    for file in "$folder"/*.json; do
        set -- "$@" --judgement "$file"
    done
    code=0
    "$head/report" check "$@" --format github || code=$?
    [ "$code" != 2 ] || code=0
    return "$code"
}

"$command" "$@"
