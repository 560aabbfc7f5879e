#!/usr/bin/env bash
# collect.sh picture: exports the pack's picture half as it stands and leaves it in $OUT as pieces under 15.5 MiB, with sheets and logs.
# Put together again with: cat picture-pack.tar.?? | tar -x -C gpu-pool/packs/toon
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
half="${1:?collect.sh picture}"
: "${OUT:?OUT names the folder for the results}"
python="${PYTHON:-python3}"
case "$half" in
picture)
  export TRAIN_DIR="${TRAIN_DIR:-/tmp/train/picture}"
  rm -rf "$TRAIN_DIR/pack" && "$python" "$here/picture/export.py" --out "$TRAIN_DIR/pack"
  tar -C "$TRAIN_DIR/pack" -cf "$TRAIN_DIR/pack.tar" . && split -b 15500k -d "$TRAIN_DIR/pack.tar" "$OUT/picture-pack.tar."
  # Everything small goes into one archive: the tool brings back eight files at most.
  cd "$TRAIN_DIR" && tar -czf "$OUT/picture-report.tgz" $(ls -d log.txt out.txt status.json sheet-*.png judge.pt evaluation 2>/dev/null)
  ;;
voice)
  exec bash "$here/voice/collect.sh"
  ;;
*)
  echo "collect.sh picture | voice" >&2
  exit 2
  ;;
esac
ls -l "$OUT"
