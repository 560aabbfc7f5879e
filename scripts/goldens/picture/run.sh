#!/usr/bin/env bash
# Fixtures of the picture graphs. PYTHON names an interpreter with torch 2.11, diffusers 0.42, transformers 5.17.
set -euo pipefail
cd "$(dirname "$0")"
for part in clip vae unet; do "${PYTHON:-python3}" "$part.py"; done
