#!/usr/bin/env bash
# collect.sh picture: exports the pack's picture half as it stands and leaves it in $OUT as pieces under 15.5 MiB; collect.sh picture-report: logs, sheets, judge and figures.
# Put together again with: cat picture-pack.tar.?? | tar -x -C gpu-pool/packs/toon
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
half="${1:?collect.sh picture | picture-report | voice}"
: "${OUT:?OUT names the folder for the results}"
python="${PYTHON:-python3}"
case "$half" in
picture)
  export TRAIN_DIR="${TRAIN_DIR:-/tmp/train/picture}"
  rm -rf "$TRAIN_DIR/pack" && "$python" "$here/picture/export.py" --out "$TRAIN_DIR/pack"
  tar -C "$TRAIN_DIR/pack" -cf "$TRAIN_DIR/pack.tar" . && split -b 15500k -d "$TRAIN_DIR/pack.tar" "$OUT/picture-pack.tar."
  ;;
picture-report)
  # Everything small in one archive, the sheets as JPEG: about 3 MB.
  cd "${TRAIN_DIR:-/tmp/train/picture}"
  "$python" - <<'PYTHON'
import pathlib
from PIL import Image
for f in [*pathlib.Path(".").glob("sheet-*.png"), *pathlib.Path(".").glob("evaluation-*/*.png")]:
    Image.open(f).convert("RGB").save(f.with_suffix(".jpg"), quality=85)
PYTHON
  tar -czf "$OUT/picture-report.tgz" $(ls log.txt *.out.txt status.json *.mode sheet-*.jpg judge.pt evaluation-*/*.jpg evaluation-*/*.json 2>/dev/null)
  ;;
voice)
  exec bash "$here/voice/collect.sh" weights
  ;;
voice-report)
  exec bash "$here/voice/collect.sh" report
  ;;
*)
  echo "collect.sh picture | picture-report | voice | voice-report" >&2
  exit 2
  ;;
esac
ls -l "$OUT"
