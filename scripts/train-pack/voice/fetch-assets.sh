#!/usr/bin/env bash
# Gathers what training needs beside Python: flite's libraries and voices, SCOWL's word list (both from
# Debian 12) and the pocketsphinx wheel, into one folder to carry to the training machine.
#   fetch-assets.sh DIR
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
cd "$work"
apt-get download -q libflite1 libasound2 wamerican-small
for deb in *.deb; do dpkg -x "$deb" root; done
mkdir -p assets
for name in libflite libflite_usenglish libflite_cmulex libflite_cmu_us_slt libflite_cmu_us_rms; do
  cp -L root/usr/lib/x86_64-linux-gnu/$name.so.1 assets/
done
cp -L root/usr/lib/x86_64-linux-gnu/libasound.so.2 assets/
cp -L root/usr/share/dict/american-english-small assets/words.txt
tar -C assets -cJf "$out/voice-assets.tar.xz" .
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
  --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 -d "$out" pocketsphinx==5.0.4
rm -rf "$work"
ls -l "$out"
