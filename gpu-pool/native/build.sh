#!/usr/bin/env bash
# Builds cartoon-ops.node. Usage: native/build.sh [OUTPUT FOLDER]; NVCC (nvcc), ARCHITECTURES (sm numbers, "80 86 89 90a").
set -e
HERE=$(cd "$(dirname "$0")" && pwd)
TO=${1:-$HERE}
CODE=()
for a in ${ARCHITECTURES:-80 86 89 90a}; do CODE+=(-gencode "arch=compute_$a,code=sm_$a"); done
# Newer cards take the youngest one's intermediate code; what is Hopper's alone (90a) is no part of it.
CODE+=(-gencode "arch=compute_${a%a},code=compute_${a%a}")
"${NVCC:-nvcc}" -O3 -std=c++17 --shared -Xcompiler -fPIC,-fvisibility=hidden,-Wall --cudart static "${CODE[@]}" \
  ${NVCC_FLAGS:-} -o "$TO/cartoon-ops.node" "$HERE/ops.cu"
