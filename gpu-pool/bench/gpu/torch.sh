#!/usr/bin/env bash
# What PyTorch makes of full-size SDXL + AnimateDiff, Dia and DAC on this GPU, and the weights for ours.sh.
# Usage: bench/gpu/torch.sh FOLDER OUT [--tiny …]; LIMIT (seconds, 540), ONLY (names of sections).
FOLDER=$1 OUT=$2
TINY=("${@:3}")
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/section.sh"
export PYTHONUNBUFFERED=1 PYTHONWARNINGS=ignore
PYTHON=${PYTHON:-python3}
FRAMES=(${FRAMES:-16 32})
sdxl() { echo "$PYTHON" "$HERE/torch_sdxl.py" "$FOLDER"; }
mkdir -p "$FOLDER"

machine
section versions 30 $PYTHON -c 'import json, torch, diffusers, transformers as t; print(json.dumps(dict(section="versions", torch=torch.__version__, diffusers=diffusers.__version__, transformers=t.__version__)))'
section make 120 $(sdxl) make "${TINY[@]}"
for f in "${FRAMES[@]}"; do section "eager$f" 90 $(sdxl) eager --frames "$f" "${TINY[@]}"; done
section vae 60 $(sdxl) vae "${TINY[@]}"
rm -f "$FOLDER"/.compiled-*
# Compiling takes the CPU, so both shapes compile side by side; then they are timed in turn.
for f in "${FRAMES[@]}"; do
  section "compile$f" 260 $(sdxl) compile --frames "$f" --peers "${#FRAMES[@]}" "${TINY[@]}" &
done
wait
section voice 150 "$PYTHON" "$HERE/../../../scripts/goldens/voice/full_size.py" "$FOLDER/voice" ${TINY:+--tiny}
section "exact${FRAMES[0]}" 90 $(sdxl) exact --frames "${FRAMES[0]}" "${TINY[@]}"
# Small enough for float32 to be a reference: how far float16 is from it, torch's and ours.
section error 60 $(sdxl) eager --frames 4 --size 32 --repeats 1 "${TINY[@]}"
section error-exact 60 $(sdxl) exact --frames 4 --size 32 "${TINY[@]}"
section clip 40 $(sdxl) clip "${TINY[@]}"
