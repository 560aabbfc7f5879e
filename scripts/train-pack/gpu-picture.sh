#!/usr/bin/env bash
# Starts or continues the picture training: every stage in order within PICTURE_MINUTES of wall clock, counted from the first start.
# A stage that crashes is tried again from its last checkpoint. Progress: tail -f "$TRAIN_DIR/log.txt".
# PICTURE_GPUS ("0 1") share the latents and the UNet. With PICTURE_FROM and PICTURE_SIDE_GPU ("2") judge and VAE decoder train there, beside the UNet.
set -u
here="$(cd "$(dirname "$0")" && pwd)"
export TRAIN_DIR="${TRAIN_DIR:-/tmp/train/picture}" PICTURE_MINUTES="${PICTURE_MINUTES:-22}" PYTHONUNBUFFERED=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-4}" TOKENIZERS_PARALLELISM=false
python="${PYTHON:-python3}"
gpus="${PICTURE_GPUS:-0}" side="${PICTURE_SIDE_GPU:-}"
mkdir -p "$TRAIN_DIR"
exec 9>"$TRAIN_DIR/lock"
flock -n 9 || { echo "a picture training already runs in $TRAIN_DIR"; exit 0; }

# stage NAME GPU…: one process a GPU.
stage() {
  local name=$1
  shift
  local run=("$python")
  [ $# -gt 1 ] && run=("$python" -m torch.distributed.run --standalone --nproc-per-node $#)
  for try in 1 2 3 4 5 6; do
    # Processes that can't work together leave the rest to one of them.
    if [ "$try" -gt 2 ] && [ $# -gt 1 ]; then set -- "$1"; run=("$python"); fi
    CUDA_VISIBLE_DEVICES="$(IFS=,; echo "$*")" "${run[@]}" "$here/picture/train.py" "$name" >>"$TRAIN_DIR/$name.out.txt" 2>&1 9>&- && break
    echo "$(date +%T) stage $name ended with an error (try $try): $(grep -v '^$' "$TRAIN_DIR/$name.out.txt" | tail -n 1)" >>"$TRAIN_DIR/log.txt"
    sleep 1
  done
}

first="${gpus%% *}"
[ -n "${PICTURE_FROM:-}" ] && stage import "$first"
stage text "$first"
if [ -n "${PICTURE_FROM:-}" ] && [ -n "$side" ]; then
  export PICTURE_VAE="${PICTURE_VAE:-decoder}"
  { stage judge "$side"; stage vae "$side"; } &
  stage rows "$first"
else
  # While the VAE trains, other processors make the clips' scenes and compile the UNet's step.
  [ -e "$TRAIN_DIR/vae.done" ] || for ahead in rows warm; do stage "$ahead" "$first" & done
  stage vae "$first"
  stage judge "$first"
fi
# shellcheck disable=SC2086
stage latents $gpus
# shellcheck disable=SC2086
stage unet $gpus
wait
set -- 2.5 1.8 4
for gpu in $gpus $side $gpus $side $gpus; do
  [ $# -gt 0 ] || break
  CUDA_VISIBLE_DEVICES=$gpu "$python" "$here/evaluate/picture.py" sample --guidance "$1" --out "$TRAIN_DIR/evaluation-$1" >>"$TRAIN_DIR/evaluation.out.txt" 2>&1 9>&- ||
    echo "$(date +%T) the evaluation failed: $(tail -n 1 "$TRAIN_DIR/evaluation.out.txt")" >>"$TRAIN_DIR/log.txt" &
  shift
done
wait
echo "$(date +%T) all stages ended" >>"$TRAIN_DIR/log.txt"
