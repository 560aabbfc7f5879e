#!/usr/bin/env bash
# Trains the voice half of the pack from nothing within VOICE_MINUTES (default 22) on one GPU.
#   ASSETS=.whl/voice TRAIN_DIR=/tmp/train/voice VOICE_MINUTES=22 bash scripts/train-pack/gpu-voice.sh
# Stages: synth (CPU) beside codec -> codes -> dia (with decoder refinement and dev figures beside it) -> final
# figures. Run it again after an interruption: finished stages are skipped and the clock goes on from the first start.
# VOICE_FROM=PACK starts from a pack's exported weights. Its codec is trained on (with discriminators from the start);
# VOICE_CODEC=keep keeps its codes instead: only Dia goes on, and the codec's decoder is refined beside it.
# VOICE_DIA=fresh takes only the codec from it. VOICE_GPU names the GPU; on VOICE_SIDE_GPU the decoder is refined and dev figures are made.
# VOICE_TINY=1 runs every stage for seconds (a test of the recipe on a CPU).
set -uo pipefail
here=$(cd "$(dirname "$0")/voice" && pwd)
root=$(cd "$here/../../.." && pwd)
export TRAIN_DIR=${TRAIN_DIR:-/tmp/train/voice}
assets=${ASSETS:-$root/.whl/voice}
minutes=${VOICE_MINUTES:-22}
tiny=${VOICE_TINY:-0}
from=${VOICE_FROM:+--from $(realpath "${VOICE_FROM:-.}")}
keep=${VOICE_CODEC:-train}
dia_from=$from
[ "${VOICE_DIA:-}" = fresh ] && dia_from=
main=${VOICE_GPU:-0} side=${VOICE_SIDE_GPU:-}
export CUDA_VISIBLE_DEVICES=$main
aside() { CUDA_VISIBLE_DEVICES=${side:-$main} python3 "$@"; }
if [ "$keep" = keep ] && [ -z "$from" ]; then echo "VOICE_CODEC=keep needs VOICE_FROM" >&2; exit 2; fi
mkdir -p "$TRAIN_DIR/data"
[ -e "$TRAIN_DIR/started" ] || date +%s > "$TRAIN_DIR/started"
started=$(cat "$TRAIN_DIR/started")
budget=$(python3 -c "print(int($minutes * 60))")
elapsed() { echo $(($(date +%s) - started)); }
left() { echo $((budget - $(elapsed))); }
say() { echo "$(date +%T) [$(elapsed) s] $*" | tee -a "$TRAIN_DIR/status.log"; }

# twice NAME SCRIPT ARGS…: a stage that fails is started once more (it resumes from its last checkpoint).
twice() {
  local name=$1
  shift
  for attempt in 1 2; do
    python3 "$@" >> "$TRAIN_DIR/$name.log" 2>&1 && return 0
    say "$name FAILED (attempt $attempt): $(tail -n 3 "$TRAIN_DIR/$name.log")"
  done
}

export PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false TRANSFORMERS_VERBOSITY=error
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} OPENBLAS_NUM_THREADS=1
. "$here/assets.sh"
cd "$here"
say "start: $budget s in all, $(nproc --all) cores, $(python3 -c 'import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu")')"

if [ "$tiny" = 1 ]; then
  synth="--seconds 15 --processes 1 --lines 200"; dac="--seconds $((budget / 6)) --batch 4"; refine="--seconds 10 --batch 2"
  dia="--frames 640 --workers 1"; limit=3; reserve=$((budget / 3)); every=15
else
  synth="--seconds $((budget * 15 / 100)) --processes ${SYNTH_PROCESSES:-12}"; dac="--seconds $((budget * 42 / 100))"
  refine="--seconds $((budget * 25 / 100))"; dia=""; limit=40; reserve=$((budget * 12 / 100)); every=90
  # With a GPU for the decoder's refinement the codes can be fixed earlier.
  if [ -n "$side" ]; then dac="--seconds $((budget * 36 / 100))"; refine="--seconds $((budget * 47 / 100))"; fi
fi

if [ ! -e "$TRAIN_DIR/data/done" ]; then
  nice -n 5 python3 synth.py --out "$TRAIN_DIR/data" $synth > "$TRAIN_DIR/synth.log" 2>&1 &
fi
if [ ! -e "$TRAIN_DIR/dac.done" ]; then
  say "codec"
  if [ "$keep" = keep ]; then twice dac dac.py keep --dir "$TRAIN_DIR" $from; else twice dac dac.py train --dir "$TRAIN_DIR" $dac $from; fi
  say "$(tail -n 2 "$TRAIN_DIR/dac.log" | tr '\n' ' ')"
fi
[ -e "$TRAIN_DIR/dac.pt" ] || { say "no codec, nothing to go on with"; exit 1; }
if [ ! -e "$TRAIN_DIR/codes.done" ]; then
  say "codes (dia starts with the first 60 shards); $(tail -n 1 "$TRAIN_DIR/synth.log")"
  { twice encode dac.py encode --dir "$TRAIN_DIR"; say "$(tail -n 1 "$TRAIN_DIR/encode.log")"; } &
fi
if [ ! -e "$TRAIN_DIR/dia.done" ]; then
  seconds=$(($(left) - reserve))
  [ "$seconds" -gt 60 ] || seconds=60
  say "dia for $seconds s"
  # Seconds of an interrupted run are counted in dia-state.pt; the total is what the clock still allows.
  used=$(python3 -c "import torch,os; p='$TRAIN_DIR/dia-state.pt'; print(int(torch.load(p, map_location='cpu', weights_only=True)['used']) if os.path.exists(p) else 0)")
  aside report.py codec --dir "$TRAIN_DIR" --limit $limit > "$TRAIN_DIR/report.log" 2>&1 &
  # On a single GPU Dia has it alone: a codec that was just trained has met the discriminators already.
  if { [ "$keep" = keep ] || [ -n "$side" ]; } && [ ! -e "$TRAIN_DIR/dac-refine-candidate.pt" ]; then
    aside dac.py refine --dir "$TRAIN_DIR" $refine > "$TRAIN_DIR/refine.log" 2>&1 &
  fi
  aside report.py watch --dir "$TRAIN_DIR" --every $every --limit $limit > "$TRAIN_DIR/watch.log" 2>&1 &
  watcher=$!
  twice dia dia.py --dir "$TRAIN_DIR" --seconds $((seconds + used)) $dia $dia_from
  say "$(tail -n 2 "$TRAIN_DIR/dia.log" | tr '\n' ' ')"
  kill $watcher 2>/dev/null
fi
say "final figures"
python3 report.py final --dir "$TRAIN_DIR" --seconds "$(left)" --limit $limit > "$TRAIN_DIR/final.log" 2>&1 || say "final FAILED: $(tail -n 3 "$TRAIN_DIR/final.log")"
say "voice done"
touch "$TRAIN_DIR/voice.done"
