#!/usr/bin/env bash
# Builds llama.cpp's server for tests, and the embedded SmolVLM as it reads it.
#
#   tools/llama-server.sh FOLDER     makes FOLDER/llama-server, FOLDER/text.gguf, FOLDER/mmproj.gguf
#
# The sources are those that the Python registry's llama-cpp-python carries, by version and digest;
# cmake, ninja and gguf come from there too, into FOLDER. About five minutes on two free cores, once. It
# is made whole or not at all, and anew when this script, its Python or the checkpoint changes.
set -euo pipefail

source=llama-cpp-python==0.3.36
source_sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
packages="cmake==4.4.5 ninja==1.13.2 gguf==0.19.0 numpy==2.4.6"

fail() {
    echo "llama-server: $*" >&2
    exit 1
}

root=$(cd "$(dirname "$0")/.." && pwd)
checkpoint=$root/datasets/checkpoints/tiny-smolvlm-500m-instruct
[ $# = 1 ] || fail "name the folder to make it in"
for tool in c++ python3; do
    command -v "$tool" > /dev/null || fail "$tool is missing: install a C++ compiler and Python 3"
done
sha256() { if command -v sha256sum > /dev/null; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }
identity=$(cat "$0" "$root/tools/smolvlm_gguf.py" "$checkpoint/model.safetensors" "$checkpoint/tokenizer.json" | sha256)
mkdir -p "$(dirname "$1")"
folder=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
if [ "$(cat "$folder/identity" 2> /dev/null)" = "$identity" ]; then
    echo "llama.cpp's server is ready in $folder"
    exit
fi

work=$(mktemp -d "$folder.XXXXXX")
log=$folder.log
: > "$log"
doing=""
ended() {
    rm -rf "$work"
    [ -z "$doing" ] || echo "llama-server: $doing failed: the end of $log says why" >&2
}
trap ended EXIT
# Says what it does; the words of the tools go to the log.
step() {
    doing=$1
    echo "llama-server: $1"
    shift
    "$@" >> "$log" 2>&1
    doing=""
}

install_tools() {
    python3 -m venv "$work/python"
    # shellcheck disable=SC2086 # a list of words
    "$work/python/bin/pip" install --quiet --disable-pip-version-check $packages
}

sources() {
    printf '%s --hash=sha256:%s\n' "$source" "$source_sha256" > "$work/wanted.txt"
    # Its own build would compile it all: only the archive is wanted.
    "$work/python/bin/pip" download --quiet --no-deps --no-binary llama-cpp-python --require-hashes \
        --dest "$work" --requirement "$work/wanted.txt"
    mkdir "$work/source"
    tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work/source" --strip-components=1
}

compile() {
    export PATH="$work/python/bin:$PATH"
    cmake -G Ninja -S "$work/source/vendor/llama.cpp" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
        -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_SUBPROCESS=OFF
    ninja -C "$work/build" llama-server
    cp "$work/build/bin/llama-server" "$work/llama-server"
}

model() { "$work/python/bin/python" "$root/tools/smolvlm_gguf.py" "$checkpoint" "$work"; }

step "getting cmake, ninja and gguf" install_tools
step "getting $source" sources
step "compiling llama.cpp's server" compile
step "writing the embedded SmolVLM" model
echo "$identity" > "$work/identity"
rm -rf "$work"/{python,source,build,wanted.txt} "$work"/llama_cpp_python-*.tar.gz "$folder"
chmod 755 "$work"
mv "$work" "$folder"
rm -f "$log"
echo "llama.cpp's server is ready in $folder"
