#!/usr/bin/env bash
# Trains only the codec's decoder of a pack further; codes and Dia stay what they are, so its weights alone change.
#   ASSETS=.whl/voice VOICE_FROM=PACK SECONDS_EACH=240 bash scripts/train-pack/gpu-voice-decoder.sh
# With four GPUs three recipes run side by side (two GPUs share the first); the one that is understood best on dev sentences is taken.
set -uo pipefail
here=$(cd "$(dirname "$0")/voice" && pwd)
export TRAIN_DIR=${TRAIN_DIR:-/tmp/train/decoder} PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} OPENBLAS_NUM_THREADS=1 TRANSFORMERS_VERBOSITY=error
assets=${ASSETS:?the folder of voice/fetch-assets.sh} pack=$(realpath "${VOICE_FROM:?a pack folder}") seconds=${SECONDS_EACH:-240}
mkdir -p "$TRAIN_DIR/data"
. "$here/assets.sh"
cd "$here" || exit 1
python3 synth.py --out "$TRAIN_DIR/data" --seconds 45 --processes "${SYNTH_PROCESSES:-12}" --lines "${LINES_OF_SPEECH:-12000}" > "$TRAIN_DIR/synth.log" 2>&1 &
python3 export.py --from "$pack" --train "$TRAIN_DIR"
# Training starts with the first lines; more are taken in as they come.
until [ "$(ls "$TRAIN_DIR"/data/shard-*.npz 2>/dev/null | wc -l)" -ge 8 ] || [ -e "$TRAIN_DIR/data/done" ]; do sleep 0.5; done
refine() {
  local name=$1 gpus=$2 weights=$3 count run=(python3)
  count=$(tr ',' '\n' <<<"$gpus" | wc -l)
  [ "$count" -gt 1 ] && run=(python3 -m torch.distributed.run --standalone --nproc-per-node "$count")
  # shellcheck disable=SC2086
  CUDA_VISIBLE_DEVICES=$gpus "${run[@]}" dac.py refine --dir "$TRAIN_DIR" --name "$name" --seconds "$seconds" --batch "${DAC_BATCH:-48}" $weights > "$TRAIN_DIR/refine-$name.log" 2>&1
}
if [ "$(nvidia-smi -L 2>/dev/null | wc -l)" -ge 4 ]; then
  refine cepstra 0,1 "--cepstrum 8" &
  refine cepstra-more 2 "--cepstrum 20" &
  refine judged 3 "--cepstrum 8 --adversary 0.15" &
  sleep "$seconds"
  for job in $(jobs -p); do wait "$job"; done
else
  refine cepstra 0 "--cepstrum 8"
fi
export CUDA_VISIBLE_DEVICES=0
python3 report.py choose --dir "$TRAIN_DIR" --limit "${LIMIT:-40}" > "$TRAIN_DIR/choose.log" 2>&1 || tail -n 3 "$TRAIN_DIR/choose.log"
python3 report.py final --dir "$TRAIN_DIR" --seconds 90 --limit "${LIMIT:-40}" > "$TRAIN_DIR/final.log" 2>&1 || tail -n 3 "$TRAIN_DIR/final.log"
touch "$TRAIN_DIR/voice.done"
