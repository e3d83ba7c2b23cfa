#!/usr/bin/env bash
# Puts the gate's judgement into the pull request's one comment. Runs trusted code on what a pull request's
# code wrote: files of known names and limited size, read as data by `report check`. Works with bash 3.2.
#
#   comment.sh RUN HEAD_SHA HEAD_REPOSITORY DIR
#
# Needs gh with its token, GITHUB_REPOSITORY, and report in $VLM_BENCH_BIN.
set -euo pipefail

run=$1 sha=$2 from=$3 folder=$4
repository=$GITHUB_REPOSITORY
report=${VLM_BENCH_BIN:-target/release}/report
largest=1000000
marker="<!-- vlm-bench check -->"
mkdir -p "$folder"

# The second name out of the newest artifact of the first; left out where it is not there or too large.
take() {
    id=$(gh api "repos/$repository/actions/runs/$run/artifacts?per_page=100" \
        --jq "[.artifacts[] | select(.name == \"$1\")] | max_by(.created_at) |
            select(.size_in_bytes <= $largest) | .id // empty")
    case "$id" in
        "" | *[!0-9]*) echo "comment: no artifact $1 of at most $largest bytes" >&2; return 0 ;;
    esac
    gh api "repos/$repository/actions/artifacts/$id/zip" > "$folder/$1.zip"
    # To standard output: names in the archive become no paths. What is too long is cut, and then is no JSON.
    unzip -p "$folder/$1.zip" "$2" 2> /dev/null | head -c 8000000 > "$folder/$2" || true
}

take gate-pr pr.txt
take gate-counters counters.json
take gate-duet duet.json

number=$(head -c 12 "$folder/pr.txt" 2> /dev/null | tr -d '\r\n' || true)
case "$number" in
    "" | *[!0-9]*) echo "comment: the run names no pull request" >&2; exit 1 ;;
esac
# The number is a claim. The event says which commit of which repository ran.
claimed=$(gh api "repos/$repository/pulls/$number" --jq '"\(.state) \(.head.sha) \(.head.repo.full_name)"')
if [ "$claimed" != "open $sha $from" ]; then
    echo "comment: pull request $number is not at the commit that was judged" >&2
    exit 1
fi

# Any verdict will do: the gate's own job has passed or failed.
judged() {
    "$report" check --judgement "$folder/counters.json" --judgement "$folder/duet.json" --format markdown || true
}

# An earlier comment must not stand for a commit that was not measured.
unmeasured() {
    log=${GITHUB_SERVER_URL:-https://github.com}/$repository/actions/runs/$run
    printf '%s\n## vlm-bench: nothing was measured\n\n[The log](%s) says why.\n' "$marker" "$log"
}

if [ -s "$folder/counters.json" ] || [ -s "$folder/duet.json" ]; then judged; else unmeasured; fi > "$folder/comment.md"
[ "$(head -n 1 "$folder/comment.md")" = "$marker" ] || { echo "comment: no document" >&2; exit 1; }

own=$(gh api --paginate "repos/$repository/issues/$number/comments?per_page=100" \
    --jq ".[] | select(.user.login == \"github-actions[bot]\" and (.body | startswith(\"$marker\"))) | .id" |
    head -n 1)
if [ -n "$own" ]; then
    gh api --method PATCH "repos/$repository/issues/comments/$own" -F "body=@$folder/comment.md" > /dev/null
else
    gh api --method POST "repos/$repository/issues/$number/comments" -F "body=@$folder/comment.md" > /dev/null
fi
