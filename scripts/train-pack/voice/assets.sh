# Sourced: unpacks flite's libraries and the word list of $assets into $TRAIN_DIR, and installs pocketsphinx from it where it is missing.
if [ -e "$assets/voice-assets.tar.xz" ]; then
  [ -e "$TRAIN_DIR/assets/words.txt" ] || { mkdir -p "$TRAIN_DIR/assets" && tar -C "$TRAIN_DIR/assets" -xJf "$assets/voice-assets.tar.xz"; }
  export VOICE_LIB=$TRAIN_DIR/assets VOICE_WORDS=$TRAIN_DIR/assets/words.txt LD_LIBRARY_PATH=$TRAIN_DIR/assets:${LD_LIBRARY_PATH:-}
fi
if ! python3 -c 'import pocketsphinx' 2>/dev/null; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$TRAIN_DIR/site" "$assets"/pocketsphinx-*.whl
  export PYTHONPATH=$TRAIN_DIR/site:${PYTHONPATH:-}
fi
