#!/usr/bin/env bash
# Prepares MLX for this workspace on Linux (x86-64); macOS needs no preparation.
#
#   tools/mlx-linux.sh [FOLDER]     default target/mlx-linux; about two minutes, once
#
# mlx-sys builds MLX by Apple's tools. Cargo can be told to skip a build script whose package names
# the native library it links, and to take from a configuration file what the script would have
# said. So this lays MLX's own Linux build (from the Python registry), mlx-c (from mlx-sys' sources)
# and its bindings into FOLDER, with that file beside them. Nothing outside FOLDER is changed and
# nothing needs root. It is made whole or not at all, and anew when this script or mlx-sys changes.
set -euo pipefail

# Wheels by version and digest. MLX's version is the one that mlx-sys builds elsewhere.
mlx="mlx-cpu==0.32.2"
mlx_sha256=fc5d31b90fc4f457b2f9614ed45651a567d22a6a11a03d114a90a4e10bdd8878
libclang=libclang==18.1.1
libclang_sha256=c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b
bindgen="bindgen-cli@0.72.1"
target=x86_64-unknown-linux-gnu

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tools/prepare.sh"
case "$(uname -sm)" in
    "Linux x86_64") ;;
    Darwin*) fail "macOS needs no preparation: build with --features mlx" ;;
    *) fail "$(uname -sm): only x86-64 Linux is supported" ;;
esac
for tool in cargo c++ ar python3; do
    command -v "$tool" > /dev/null || fail "$tool is missing: install Rust, a C++ compiler (GCC 12 or newer) and Python 3"
done
python3 -m pip --version > /dev/null 2>&1 || fail "python3 has no pip: install it (python3-pip on Debian and Ubuntu)"

place "${1:-${CARGO_TARGET_DIR:-$root/target}/mlx-linux}"

# Where Cargo keeps mlx-sys' sources, in the version of Cargo.lock.
mlx_sys=$(cargo metadata --quiet --locked --format-version 1 --manifest-path "$root/Cargo.toml" --all-features --filter-platform "$target" |
    python3 -c 'import json, os, sys
found = [p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "mlx-sys"]
print(os.path.dirname(found[0]) if found else "")') || fail "cargo metadata failed: is the registry in reach?"
mlx_c=$mlx_sys/src/mlx-c
grep -q "GIT_TAG v${mlx#*==})" "$mlx_c/CMakeLists.txt" 2> /dev/null ||
    fail "$(basename "$mlx_sys") does not build ${mlx#*==}: set version and digest of the wheel in $0"

identity="$(sha256 "$0" "$root/tools/prepare.sh") $(basename "$mlx_sys")"
announce() {
    echo "MLX ${mlx#*==} is ready in $folder; build with it by"
    echo "  cargo --config $folder/cargo.toml build --release --features mlx"
}
if is_ready; then
    announce
    exit
fi

# The wheel brings the reference BLAS, ten times slower than OpenBLAS at products in f32. Without
# one in the system, the distribution's packages are unpacked here.
openblas() {
    libraries=$work/lib
    mkdir -p "$libraries"
    found=$(ldconfig -p 2> /dev/null || /sbin/ldconfig -p)
    found=$(sed -n 's/.*libopenblas\.so\.0 .*x86-64.* => //p' <<< "$found" | head -1)
    if [ -n "$found" ]; then
        ln -s "$found" "$libraries/libopenblas.so.0"
    else
        command -v apt-get dpkg-deb > /dev/null || { echo "install OpenBLAS (libopenblas.so.0)"; return 1; }
        mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial,packages,files}
        apt=(apt-get --quiet -o "Dir::State=$work/apt/state" -o "Dir::Cache=$work/apt/cache"
            -o Dir::State::status=/var/lib/dpkg/status -o "APT::Sandbox::User=$(id -un)")
        "${apt[@]}" update
        (cd "$work/apt/packages" && "${apt[@]}" download libopenblas0-pthread libgfortran5 libquadmath0)
        for package in "$work"/apt/packages/*.deb; do dpkg-deb -x "$package" "$work/apt/files"; done
        find "$work/apt/files" \( -name 'libopenblas*.so*' -o -name 'libgfortran.so*' -o -name 'libquadmath.so*' \) \
            -exec cp -d {} "$libraries/" \;
        # shellcheck disable=SC2012 # names of a package, without blanks
        [ -e "$libraries/libopenblas.so.0" ] || ln -s "$(cd "$libraries" && ls libopenblas*.so | head -1)" "$libraries/libopenblas.so.0"
    fi
    for blas in "$work"/mlx/mlx_cpu.libs/libblas-*.so*; do
        ln -sf ../../lib/libopenblas.so.0 "$blas"
    done
}

# mlx-c's C++ and what mlx-rs expects of Apple's systems, in one archive.
compile() {
    mkdir -p "$work/objects"
    # mlx-c declares its half-precision accessors on Arm only, and GCC 12 has no std::format, of
    # which mlx-c needs plain {} for numbers and texts.
    cat > "$work/objects/before.h" <<'H'
#pragma once
#include "mlx/types/half_types.h"
#define HAS_FLOAT16
#define HAS_BFLOAT16
using mlx::core::bfloat16_t;
using mlx::core::float16_t;
#include <version>
#ifndef __cpp_lib_format
#include <sstream>
#include <string>
namespace std {
template <typename... Args>
string format(const string& pattern, const Args&... args) {
    ostringstream out;
    size_t from = 0;
    auto put = [&](const auto& arg) {
        size_t brace = min(pattern.find("{}", from), pattern.size());
        out << pattern.substr(from, brace - from) << arg;
        from = min(brace + 2, pattern.size());
    };
    (put(args), ...);
    return out.str() + pattern.substr(from);
}
}
#endif
H
    # The clock that seeds mlx-rs' random numbers.
    cat > "$work/objects/clock.c" <<'C'
#include <stdint.h>
#include <time.h>
uint64_t mach_approximate_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}
C
    (
        cd "$work/objects"
        c++ -x c -O2 -fPIC -c clock.c -o clock.o
        printf '%s\0' "$mlx_c"/mlx/c/*.cpp | xargs -0 -P "$(nproc)" -n 1 \
            c++ -std=c++20 -O2 -fPIC -include before.h -I. -I"$mlx_c" -isystem "$work/mlx/mlx/include" -c
        ar rcs "$work/lib/libmlxc.a" ./*.o
    )
}

bindings() {
    mkdir -p "$work/bindings"
    cat > "$work/objects/half.h" <<'H'
typedef struct { unsigned short bits; } float16_t;
typedef unsigned short bfloat16_t;
#define HAS_FLOAT16
#define HAS_BFLOAT16
H
    for header in "$mlx_c"/mlx/c/*.h; do printf '#include "%s"\n' "$header"; done > "$work/objects/all.h"
    CARGO_TARGET_DIR=$work/bindgen/target cargo install --quiet --locked --root "$work/bindgen" "$bindgen"
    LIBCLANG_PATH=$(dirname "$(find "$work/clang" -name libclang.so)") "$work/bindgen/bin/bindgen" "$work/objects/all.h" \
        --rust-target 1.73 --blocklist-function 'malloc|realloc' --blocklist-type 'b?float16_t' \
        --raw-line '#[repr(C)] #[derive(Debug, Default, Clone, Copy, PartialEq)] pub struct float16_t(pub u16);' \
        --raw-line 'pub type bfloat16_t = u16;' --output "$work/bindings/bindings.rs" \
        -- -I"$mlx_c" -I"$(c++ -print-file-name=include)" -include "$work/objects/half.h"
}

begin
step "getting $mlx" wheel "$mlx" "$mlx_sha256" mlx
step "getting OpenBLAS" openblas
step "compiling mlx-c" compile
step "getting $libclang" wheel "$libclang" "$libclang_sha256" clang
step "making the bindings" bindings

# `lib` and `version` reach the harness's build script.
cat > "$work/cargo.toml" <<T
[target.$target.mlx]
rustc-link-search = ["native=$folder/lib", "native=$folder/mlx/mlx/lib"]
rustc-link-lib = ["static=mlxc", "dylib=mlx", "dylib=stdc++"]
rustc-env = { OUT_DIR = "$folder/bindings" }
lib = "$folder/mlx/mlx/lib:$folder/lib"
version = "${mlx#*==}"
T
finish apt bindgen clang objects
announce
