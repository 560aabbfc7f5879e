#!/usr/bin/env bash
# Exports the newest voice weights (at any moment of the training) and writes them with logs, figures and samples
# as pieces of at most 15 MiB into $OUT: cat voice.tar.* | tar x
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export TRAIN_DIR=${TRAIN_DIR:-/tmp/train/voice}
out=${OUT:?a folder}
stage=$(mktemp -d)
cd "$here"
python3 export.py --out "$stage" --train "$TRAIN_DIR" || echo "no weights to export yet" >&2
mkdir -p "$stage/log"
cp -r "$TRAIN_DIR"/*.log "$TRAIN_DIR"/*.json "$stage/log/" 2>/dev/null || true
cp -r "$TRAIN_DIR/samples" "$stage/samples" 2>/dev/null || true
tar -C "$stage" -cf - . | split -b 15M - "$out/voice.tar."
rm -rf "$stage"
ls -l "$out"
