#!/usr/bin/env bash
# Starts or continues the picture training: every stage in order within PICTURE_MINUTES of wall clock, counted from the first start.
# A stage that crashes is tried again from its last checkpoint. Progress: tail -f "$TRAIN_DIR/log.txt".
set -u
here="$(cd "$(dirname "$0")" && pwd)"
export TRAIN_DIR="${TRAIN_DIR:-/tmp/train/picture}" PICTURE_MINUTES="${PICTURE_MINUTES:-22}" PYTHONUNBUFFERED=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-4}" TOKENIZERS_PARALLELISM=false
python="${PYTHON:-python3}"
mkdir -p "$TRAIN_DIR"
# One thread feeds the GPU: where it may, it goes before other work on the machine.
renice=""
nice -n -5 true 2>/dev/null && [ -z "${PICTURE_TINY:-}" ] && renice="nice -n -5"
exec 9>"$TRAIN_DIR/lock"
flock -n 9 || { echo "a picture training already runs in $TRAIN_DIR"; exit 0; }
# While the VAE trains, other processors make the clips' scenes and compile the UNet's step.
stages="text vae judge latents unet"
[ -n "${PICTURE_FROM:-}" ] && stages="import $stages"
for stage in $stages; do
  if [ "$stage" = vae ] && [ ! -e "$TRAIN_DIR/vae.done" ]; then
    for ahead in rows warm; do "$python" "$here/picture/train.py" "$ahead" >>"$TRAIN_DIR/out.txt" 2>&1 9>&- & done
  fi
  for try in 1 2 3 4 5 6; do
    $renice "$python" "$here/picture/train.py" "$stage" >>"$TRAIN_DIR/out.txt" 2>&1 && break
    echo "$(date +%T) stage $stage ended with an error (try $try): $(tail -n 1 "$TRAIN_DIR/out.txt")" >>"$TRAIN_DIR/log.txt"
    sleep 1
  done
done
"$python" "$here/evaluate/picture.py" sample --out "$TRAIN_DIR/evaluation" >>"$TRAIN_DIR/out.txt" 2>&1 ||
  echo "$(date +%T) the evaluation failed: $(tail -n 1 "$TRAIN_DIR/out.txt")" >>"$TRAIN_DIR/log.txt"
echo "$(date +%T) all stages ended" >>"$TRAIN_DIR/log.txt"
