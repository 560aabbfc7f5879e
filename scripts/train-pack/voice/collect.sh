#!/usr/bin/env bash
# collect.sh weights: the newest voice weights (at any moment of the training) as two files under 15.5 MiB in $OUT, and
#   nothing else; together again with: cat voice-pack.tar.?? | tar -x -C gpu-pool/packs/toon
# collect.sh report: logs, figures and samples as one small file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export TRAIN_DIR=${TRAIN_DIR:-/tmp/train/voice}
out=${OUT:?a folder}
python=${PYTHON:-python3}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
case "${1:-weights}" in
weights)
  "$python" "$here/export.py" --out "$stage" --train "$TRAIN_DIR"
  tar -C "$stage" -cf "$stage.tar" dia dac voice-part.json
  split -b 15500k -d "$stage.tar" "$out/voice-pack.tar."
  rm -f "$stage.tar"
  ;;
report)
  mkdir "$stage/report"
  cp "$TRAIN_DIR"/*.log "$TRAIN_DIR"/*.json "$stage/report/" 2>/dev/null || true
  cp -r "$TRAIN_DIR/samples" "$stage/report/" 2>/dev/null || true
  tar -C "$stage" -czf "$out/voice-report.tgz" report
  ;;
*)
  echo "collect.sh weights | report" >&2
  exit 2
  ;;
esac
ls -l "$out"
