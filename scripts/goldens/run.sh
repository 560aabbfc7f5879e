#!/usr/bin/env bash
# Regenerates every fixture that the tests compare the engine with. PYTHON names an interpreter that has
# torch 2.11, diffusers 0.42 and transformers 5.17. Each part is a folder with a run.sh of its own.
set -euo pipefail
cd "$(dirname "$0")"
for part in */run.sh; do
  echo "== ${part%/run.sh}"
  bash "$part"
done
