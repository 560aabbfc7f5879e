#!/usr/bin/env bash
# Regenerates every fixture that the tests compare the engine with. PYTHON names an interpreter that has
# torch 2.11, diffusers 0.42 and transformers 5.17. Each part is a folder with a generate.py.
set -euo pipefail
cd "$(dirname "$0")"
for part in */generate.py; do
  echo "== ${part%/generate.py}"
  (cd "$(dirname "$part")" && "${PYTHON:-python3}" generate.py)
done
