#!/usr/bin/env bash
# The one issue that tells which figures changed. Needs gh and its token. Works with bash 3.2.
#
#   issue.sh read DIR     what the newest one tells already: DIR/issue.md, its number and state
#   issue.sh write DIR    DIR/changes.md into it; opened where DIR/news is 1 and none is open, closed where
#                         nothing is left to tell
set -euo pipefail

label=vlm-bench-changes
title="Figures changed"
command=${1:-}
folder=${2:-}
case "$command" in
    read | write) [ -n "$folder" ] ;;
    *) false ;;
esac || { sed -n '2,/^set/p' "$0" | grep '^#' >&2; exit 2; }
mkdir -p "$folder"

# A closed one counts too: what somebody closed is no news.
read_issue() {
    gh issue list --label "$label" --state all --limit 1 --json number,state \
        --jq '.[] | "\(.number) \(.state)"' > "$folder/issue"
    : > "$folder/issue.md"
    if [ -s "$folder/issue" ]; then
        read -r number _ < "$folder/issue"
        gh issue view "$number" --json body --jq .body > "$folder/issue.md"
    fi
}

write_issue() {
    number="" state=""
    [ ! -s "$folder/issue" ] || read -r number state < "$folder/issue"
    news=$(cat "$folder/news")
    if grep -q '^## vlm-bench: no open change' "$folder/changes.md"; then
        [ "$state" != OPEN ] || gh issue close "$number" --comment "Nothing is open any more."
    elif [ "$state" = OPEN ]; then
        cmp -s "$folder/issue.md" "$folder/changes.md" || gh issue edit "$number" --body-file "$folder/changes.md"
        [ "$news" != 1 ] || gh issue comment "$number" --body "New changes: see above."
    elif [ "$news" = 1 ]; then
        gh label create "$label" --description "Opened by the nightly run" --force
        gh issue create --title "$title" --label "$label" --body-file "$folder/changes.md"
    fi
}

"${command}_issue"
