#!/usr/bin/env bash
# Our graphs over the folder that torch.sh wrote, on the same GPU.
# Usage: bench/gpu/ours.sh FOLDER OUT; LIMIT (seconds, 540), ONLY (names of sections), PROVIDER (cuda).
FOLDER=$1 OUT=$2
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/section.sh"
PROVIDER=${PROVIDER:-cuda}
FRAMES=(${FRAMES:-16 32})
REPEATS=${REPEATS:-6}
SDXL=(${SDXL:-bun "$HERE/sdxl.ts"} "$FOLDER")
VOICE=(${VOICE:-bun "$HERE/../voice-full-size.ts"} "$FOLDER/voice" "$PROVIDER")
sdxl() { local name=$1 seconds=$2; shift 2; section "$name" "$seconds" "${SDXL[@]}" "$@" --provider "$PROVIDER" --repeats "$REPEATS"; }
# Attention by cuDNN makes a plan for every new length; TF32 would spoil the float32 comparison.
voice() { section "voice-$1" "$2" env ORT_ENABLE_CUDNN_FLASH_ATTENTION=0 NVIDIA_TF32_OVERRIDE=0 "${VOICE[@]}" "$1"; }

sdxl "step${FRAMES[0]}" 100 step --frames "${FRAMES[0]}" --variants "${VARIANTS:-plain,deterministic}"
sdxl "step${FRAMES[1]}" 80 step --frames "${FRAMES[1]}" --variants "${VARIANTS32:-plain}"
sdxl vae 60 vae --variants "${VAE_VARIANTS:-plain}"
voice speed 60
voice batch 60
for f in "${FRAMES[@]}"; do sdxl "memory$f-small" 60 memory --frames "$f" --mode small; done
for f in "${FRAMES[@]}"; do sdxl "memory$f" 60 memory --frames "$f" --mode normal; done
voice codec 40
voice parity 40
voice tokens 60
sdxl lora 60 lora --frames "${FRAMES[0]}"
sdxl clip 40 clip
