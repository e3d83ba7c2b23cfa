#!/usr/bin/env bash
# The branch that keeps every night: one file a session in runs/, one commit, no history. Works with bash 3.2.
#
#   tools/results.sh pull DIR [REMOTE [BRANCH]]    its files into DIR; none where there is no such branch yet
#   tools/results.sh push DIR [REMOTE [BRANCH]]    adds the files of DIR to it
#
# A push replaces the commit only where it is still the one that was read; else it reads again.
set -euo pipefail

tries=5
command=${1:-}
folder=${2:-}
remote=${3:-origin}
branch=refs/heads/${4:-results}
case "$command" in
    pull | push) [ -n "$folder" ] ;;
    *) false ;;
esac || { sed -n '2,/^#$/p' "$0" >&2; exit 2; }

# An index of its own, so that the one of the work tree stays as it is.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GIT_INDEX_FILE=$scratch/index
export GIT_AUTHOR_NAME=${GIT_AUTHOR_NAME:-vlm-bench} GIT_AUTHOR_EMAIL=${GIT_AUTHOR_EMAIL:-nightly@vlm-bench.invalid}
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL

# Sets `old` to the commit of the branch and fetches it; empty where there is no branch. No command
# substitution around what may fail: bash would go on after it.
tip() {
    git ls-remote --refs "$remote" "$branch" > "$scratch/refs"
    old=$(cut -f 1 "$scratch/refs")
    [ -z "$old" ] || git fetch --quiet --no-tags --depth 1 "$remote" "$old"
}

pull() {
    mkdir -p "$folder"
    tip
    [ -n "$old" ] || return 0
    git ls-tree -r --name-only "$old" runs/ > "$scratch/names"
    while IFS= read -r name; do
        git cat-file blob "$old:$name" > "$folder/${name##*/}"
    done < "$scratch/names"
}

# Sets `tree` to that of the branch with the files of the folder.
grow() {
    rm -f "$GIT_INDEX_FILE"
    [ -z "$old" ] || git read-tree "$old"
    for file in "$folder"/*.json; do
        [ -f "$file" ] || continue
        git hash-object -w --no-filters "$file" > "$scratch/blob"
        git update-index --add --cacheinfo "100644,$(cat "$scratch/blob"),runs/${file##*/}"
    done
    git write-tree > "$scratch/tree"
    tree=$(cat "$scratch/tree")
}

push() {
    try=1
    while [ "$try" -le "$tries" ]; do
        tip
        grow
        if [ -n "$old" ] && [ "$(git rev-parse "$old^{tree}")" = "$tree" ]; then
            echo "results: nothing new"
            return 0
        fi
        git ls-tree -r --name-only "$tree" > "$scratch/names"
        sessions=$(wc -l < "$scratch/names" | tr -d ' ')
        git commit-tree "$tree" -m "Sessions: $sessions" > "$scratch/commit"
        commit=$(cat "$scratch/commit")
        if git push --quiet --force-with-lease="$branch:$old" "$remote" "$commit:$branch"; then
            echo "results: $sessions sessions, commit $commit"
            return 0
        fi
        echo "results: try $try of $tries: the branch moved on, or cannot be written" >&2
        try=$((try + 1))
    done
    return 1
}

"$command"
