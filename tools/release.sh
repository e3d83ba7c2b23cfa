#!/usr/bin/env bash
# Packs a release from programs that are built already. Works with bash 3.2.
#
#   tools/release.sh BIN TARGET OUT    OUT/vlm-bench-VERSION-TARGET.tar.gz of the programs in BIN
#   tools/release.sh sums OUT          OUT/SHA256SUMS of every archive there
#   tools/release.sh tag TAG           fails where TAG is not v and the version in Cargo.toml
#
# The same programs give the same archive, byte for byte: names in order, the commit's time, nobody's files.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)

sha256() { if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

version() { sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1; }

tag() {
    [ "$1" = "v$(version)" ] && return 0
    echo "release: the tag is $1, the version in Cargo.toml $(version)" >&2
    return 1
}

sums() { (cd "$1" && sha256 -- *.tar.gz > SHA256SUMS && cat SHA256SUMS); }

# Programs with man pages, completions for three shells, licences and README.
fill() {
    mkdir -p "$2/bin" "$2/share/man/man1" "$2/share/completions"
    for program in harness report store; do
        cp "$1/$program" "$2/bin/$program"
        chmod 755 "$2/bin/$program"
        "$2/bin/$program" manual "$2/share/man/man1"
        for shell in bash fish zsh; do
            "$2/bin/$program" completions "$shell" > "$2/share/completions/$program.$shell"
        done
    done
    cp "$root/README.md" "$root/CHANGELOG.md" "$root/LICENSE-APACHE" "$root/LICENSE-MIT" "$2/"
}

# Debug lines are of use in the source tree alone.
slim() {
    case "$(uname -s)" in
        Darwin) strip -S "$1"/* ;;
        *) strip --strip-debug "$1"/* ;;
    esac
}

archive() {
    bin=$1 target=$2 out=$3
    name=vlm-bench-$(version)-$target
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    fill "$bin" "$scratch/$name"
    slim "$scratch/$name/bin"
    # MLX looks for its kernels beside the program before it looks where they were built.
    [ -z "${MLX_RS_METAL_PATH:-}" ] || cp "$MLX_RS_METAL_PATH/mlx.metallib" "$scratch/$name/bin/"
    time=$(git -C "$root" log -1 --format=%ct 2> /dev/null || echo 0)
    mkdir -p "$out"
    # Both tars know these: a list of names, numbers for owners. Times are set beforehand.
    (cd "$scratch" && find "$name" -exec env TZ=UTC touch -h -t "$(stamp "$time")" {} + && find "$name" -type f | LC_ALL=C sort > names)
    if tar --version 2> /dev/null | grep -q GNU; then
        set -- --format=ustar --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw
    else
        set -- --format ustar --uid 0 --gid 0 --uname "" --gname ""
    fi
    TZ=UTC tar -C "$scratch" "$@" -cf - -T "$scratch/names" | gzip -n -9 > "$out/$name.tar.gz"
    echo "$out/$name.tar.gz"
}

# Seconds since 1970 as touch -t wants them.
stamp() { TZ=UTC date -d "@$1" +%Y%m%d%H%M.%S 2> /dev/null || TZ=UTC date -r "$1" +%Y%m%d%H%M.%S; }

case "${1:-}" in
    sums | tag) [ $# = 2 ] && "$1" "$2" ;;
    "" | -*) sed -n '2,/^#$/p' "$0" >&2; exit 2 ;;
    *) [ $# = 3 ] && archive "$1" "$2" "$3" ;;
esac
