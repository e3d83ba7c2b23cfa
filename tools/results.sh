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

# The commit of the branch, empty where there is no branch. A remote that cannot be asked is an error.
tip() {
    git ls-remote --refs "$remote" "$branch" > "$scratch/refs"
    cut -f 1 "$scratch/refs"
}

fetch() { git fetch --quiet --no-tags --depth 1 "$remote" "$1"; }

pull() {
    mkdir -p "$folder"
    old=$(tip)
    [ -n "$old" ] || return 0
    fetch "$old"
    # Without names first: an archive of a folder that is not there is an error.
    git ls-tree -r --name-only "$old" runs/ | sed 's,^runs/,,' > "$scratch/names"
    while IFS= read -r name; do
        git cat-file blob "$old:runs/$name" > "$folder/$name"
    done < "$scratch/names"
}

# Adds to the tree of a commit; prints the new tree.
grown() {
    rm -f "$GIT_INDEX_FILE"
    [ -z "$1" ] || git read-tree "$1"
    for file in "$folder"/*.json; do
        [ -f "$file" ] || continue
        blob=$(git hash-object -w --no-filters "$file")
        git update-index --add --cacheinfo "100644,$blob,runs/${file##*/}"
    done
    git write-tree
}

push() {
    try=1
    while [ "$try" -le "$tries" ]; do
        old=$(tip)
        [ -z "$old" ] || fetch "$old"
        tree=$(grown "$old")
        if [ -n "$old" ] && [ "$(git rev-parse "$old^{tree}")" = "$tree" ]; then
            echo "results: nothing new"
            return 0
        fi
        sessions=$(git ls-tree -r --name-only "$tree" | wc -l | tr -d ' ')
        commit=$(git commit-tree "$tree" -m "Results of $sessions sessions")
        if git push --quiet --force-with-lease="$branch:$old" "$remote" "$commit:$branch"; then
            echo "results: $sessions sessions in $commit"
            return 0
        fi
        echo "results: try $try of $tries: the branch moved on, or cannot be written" >&2
        try=$((try + 1))
    done
    return 1
}

"$command"
