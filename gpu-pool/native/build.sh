#!/usr/bin/env bash
# Builds cartoon-ops.node. Usage: native/build.sh [OUTPUT FOLDER]; NVCC (nvcc), ARCHITECTURES (sm numbers, "80 86 89 90").
set -e
HERE=$(cd "$(dirname "$0")" && pwd)
TO=${1:-$HERE}
CODE=()
for a in ${ARCHITECTURES:-80 86 89 90}; do CODE+=(-gencode "arch=compute_$a,code=sm_$a"); done
# Newer cards take the youngest one's intermediate code.
CODE+=(-gencode "arch=compute_${a},code=compute_${a}")
"${NVCC:-nvcc}" -O3 -std=c++17 --shared -Xcompiler -fPIC,-fvisibility=hidden,-Wall --cudart static "${CODE[@]}" \
  ${NVCC_FLAGS:-} -o "$TO/cartoon-ops.node" "$HERE/ops.cu"
