# Sourced by torch.sh and ours.sh: one measurement after the other, each a process of its own.
#
# section NAME SECONDS COMMAND… runs a command for at most so long (and not past the deadline, LIMIT seconds after
# the start). Its JSON lines go to $OUT/results.jsonl at once, all it prints to $OUT/log.txt. A failure costs
# nothing but itself.
mkdir -p "$OUT"
STARTED=$(date +%s)

section() {
  local name=$1 seconds=$2 from left rc
  shift 2
  from=$(date +%s)
  left=$((STARTED + ${LIMIT:-540} - from))
  if [ -n "$ONLY" ] && ! [[ ",$ONLY," == *",$name,"* ]]; then return; fi
  if [ "$left" -lt 10 ]; then
    echo "{\"section\":\"$name\",\"skipped\":\"no time left\"}" | tee -a "$OUT/results.jsonl"
    return
  fi
  echo "== $name" >>"$OUT/log.txt"
  timeout -k 5 "$((seconds < left ? seconds : left))" "$@" 2>>"$OUT/log.txt" | tee -a "$OUT/log.txt" | grep --line-buffered '^{' | tee -a "$OUT/results.jsonl"
  rc=${PIPESTATUS[0]}
  echo "{\"ran\":\"$name\",\"rc\":$rc,\"seconds\":$(($(date +%s) - from))}" | tee -a "$OUT/results.jsonl"
  if [ "$rc" != 0 ]; then tail -n 4 "$OUT/log.txt" | cut -c1-400; fi
}

# What the figures of a run are measured on.
machine() {
  local gpu
  gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1 | sed 's/, / driver /')
  [ -z "$gpu" ] || echo "{\"section\":\"machine\",\"gpu\":\"$gpu\"}" | tee -a "$OUT/results.jsonl"
}
