#!/usr/bin/env bash
# Our graphs over the folder that torch.sh wrote, on the same GPU.
# Usage: bench/gpu/ours.sh FOLDER OUT; LIMIT (seconds, 540), ONLY (names of sections), PROVIDER (cuda), LIBRARY (the own
# operators; ../../native/cartoon-ops.node), TORCH (where torch.sh put its results, for the table at the end).
FOLDER=$1 OUT=$2
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/section.sh"
PROVIDER=${PROVIDER:-cuda}
FRAMES=(${FRAMES:-16 32})
REPEATS=${REPEATS:-6}
SDXL=(${SDXL:-bun "$HERE/sdxl.ts"} "$FOLDER")
VOICE=(${VOICE:-bun "$HERE/../voice-full-size.ts"} "$FOLDER/voice" "$PROVIDER")
LIBRARY=${LIBRARY:-$HERE/../../native/cartoon-ops.node}
OPS=(${OPS:-bun "$HERE/ops.ts"} "$LIBRARY" --provider "$PROVIDER")
LOOP=(${LOOP:-bun "$HERE/dia-loop.ts"} "$LIBRARY" --provider "$PROVIDER")
FEEDS=(${FEEDS:-bun "$HERE/feeds.ts"} "$LIBRARY" --provider "$PROVIDER")
TABLE=(${TABLE:-bun "$HERE/table.ts"})
NATIVE=plain
if [ -f "$LIBRARY" ]; then NATIVE=native; fi
sdxl() {
  local name=$1 seconds=$2
  shift 2
  section "$name" "$seconds" "${SDXL[@]}" "$@" --provider "$PROVIDER" --repeats "$REPEATS" --library "$LIBRARY"
}
# Attention by cuDNN makes a plan for every new length; TF32 would spoil the float32 comparison.
voice() { section "voice-$1" "$2" env ORT_ENABLE_CUDNN_FLASH_ATTENTION=0 NVIDIA_TF32_OVERRIDE=0 "${VOICE[@]}" "$1"; }

machine
if [ $NATIVE = native ]; then
  section ops 40 "${OPS[@]}"
  section feeds 30 "${FEEDS[@]}"
  section dia-loop 60 "${LOOP[@]}"
fi
sdxl "step${FRAMES[0]}" 60 step --frames "${FRAMES[0]}" --variants plain,deterministic
if [ $NATIVE = native ]; then
  sdxl "step${FRAMES[0]}-native" 90 step --frames "${FRAMES[0]}" --variants "${VARIANTS:-native,withoutUpsample,attention,geglu,norms,upsample}"
  sdxl "step${FRAMES[1]}-native" 60 step --frames "${FRAMES[1]}" --variants native
  sdxl vae-native 40 vae --variants "${VAE_VARIANTS:-native,norms,upsample}"
fi
sdxl "step${FRAMES[1]}" 60 step --frames "${FRAMES[1]}" --variants plain
sdxl vae 40 vae --variants plain
sdxl error 40 step --frames 4 --variants "$NATIVE,plain"
if [ -f "$LIBRARY" ]; then export VOICE_LIBRARY=$LIBRARY; fi
voice speed 60
voice batch 60
if [ $NATIVE = native ]; then section voice-times 60 env DIA_TIMES=1 ORT_ENABLE_CUDNN_FLASH_ATTENTION=0 "${VOICE[@]}" times; fi
section voice-separate 60 env VOICE_CHOICES=separate ORT_ENABLE_CUDNN_FLASH_ATTENTION=0 "${VOICE[@]}" speed
for f in "${FRAMES[@]}"; do
  sdxl "memory$f-small" 40 memory --frames "$f" --mode small --variants $NATIVE
  sdxl "memory$f" 40 memory --frames "$f" --mode normal --variants $NATIVE
done
voice first-second 90
# Stock operators, whose products are TF32.
section voice-tf32 60 env -u VOICE_LIBRARY ORT_ENABLE_CUDNN_FLASH_ATTENTION=0 "${VOICE[@]}" codec first-second
voice codec 40
voice codec-variants 90
voice parity 40
voice company 60
voice tokens 60
export CUDA_LAUNCH_BLOCKING=1
sdxl profile 60 profile --frames "${FRAMES[0]}" --variants "$NATIVE,plain"
voice codec-profile 60
unset CUDA_LAUNCH_BLOCKING
sdxl lora 60 lora --frames "${FRAMES[0]}" --variants $NATIVE
sdxl clip 40 clip
if [ $NATIVE = native ]; then section ops-large 60 "${OPS[@]}" --large; fi
# The table takes whatever was measured; with ONLY it is left to whoever asks for it.
if [ -z "$ONLY" ]; then "${TABLE[@]}" "$OUT" $TORCH || true; fi
