"""Speaks training lines with flite in parallel processes, in shards, until the time is up.

  python synth.py --out DIR --seconds 150 --processes 14 [--lines N]

Each shard is an .npz: pcm int16 (all lines one after another), lengths (samples, multiples of the
hop), speakers, texts, reading (per frame, the index of the character being spoken). Shards are
seeded by their number, so a second run continues where the first stopped.
"""

import argparse
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np

import config as c

LEAD, TAIL = 0.10, 0.20  # seconds of silence kept around a line: the pause between turns
SHARD = 200
_flite = None
_words = Path(os.environ.get("VOICE_WORDS", "/usr/share/dict/american-english-small"))


def prepare(samples: np.ndarray, words: list, text: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Trims a line to LEAD before its first and TAIL after its last word, pads it to whole frames and
    returns (int16 [frames * hop], character index per frame); None when words and text don't match."""
    spans, position = [], 0
    for token in text.split(" "):
        spans.append((position, position + len(token)))
        position += len(token) + 1
    tokens = []  # (start second, end second) of each whitespace token
    for _, token, start, end, key in words:
        if tokens and tokens[-1][2] == key:
            tokens[-1][1] = end
        else:
            tokens.append([start, end, key, token])
    if len(tokens) != len(spans) or any(t[3] != text[a:b].strip(".,!?") for t, (a, b) in zip(tokens, spans)):
        return None
    begin = max(0, int((tokens[0][0] - LEAD) * c.SAMPLE_RATE))
    end = int((tokens[-1][1] + TAIL) * c.SAMPLE_RATE)
    samples = samples[begin:end]
    frames = -(-(end - begin) // c.HOP)
    samples = np.pad(samples, (0, frames * c.HOP - len(samples)))
    times = (np.arange(frames) + 0.5) / c.FRAME_RATE + begin / c.SAMPLE_RATE
    knots_t, knots_c = [0.0], [-1.0]
    for (start, stop, _, _), (a, b) in zip(tokens, spans):
        knots_t += [start, stop]
        knots_c += [a, b - 0.5]
    knots_t.append(knots_t[-1] + TAIL + 1)
    knots_c.append(len(text) - 1)
    return samples, np.interp(times, knots_t, knots_c).astype(np.float16)


def speak(text: str, speaker: int):
    global _flite
    if _flite is None:
        from flite import Flite

        _flite = Flite(tuple(c.VOICES.values()))
    return prepare(*_flite.say(text, c.VOICES[speaker]), text)


def make_shard(job: tuple[int, str]) -> tuple[int, float]:
    from sentences import Sentences

    number, out = job
    target = Path(out) / f"shard-{number:05d}.npz"
    if target.exists():
        with np.load(target) as old:
            return number, float(old["lengths"].sum()) / c.SAMPLE_RATE
    source = Sentences(1000 + number, _words)
    pcm, lengths, speakers, texts, reading = [], [], [], [], []
    while len(texts) < SHARD:
        text = source.line()
        speaker = 1 + (len(texts) + number) % 2
        spoken = speak(text, speaker)
        if spoken is None or not 15 <= len(spoken[1]) <= 450:
            continue
        pcm.append(spoken[0])
        reading.append(spoken[1])
        lengths.append(len(spoken[0]))
        speakers.append(speaker)
        texts.append(text)
    partial = target.with_suffix(".tmp.npz")
    np.savez(
        partial, pcm=np.concatenate(pcm), lengths=np.array(lengths), speakers=np.array(speakers, np.uint8),
        texts=np.array(texts), reading=np.concatenate(reading),
    )  # fmt: skip
    partial.rename(target)
    return number, sum(lengths) / c.SAMPLE_RATE


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--processes", type=int, default=14)
    parser.add_argument("--lines", type=int, default=70_000)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    started, hours, shards = time.time(), 0.0, 0
    jobs = [(n, str(options.out)) for n in range(max(1, options.lines // SHARD))]
    with multiprocessing.get_context("fork").Pool(options.processes) as pool:
        for _, seconds in pool.imap_unordered(make_shard, jobs):
            hours += seconds / 3600
            shards += 1
            if shards % 20 == 0:
                print(f"synth {time.time() - started:.0f} s: {shards * SHARD} lines, {hours:.2f} h", flush=True)
            if time.time() - started > options.seconds:
                pool.terminate()
                break
    print(f"synth done {time.time() - started:.0f} s: {shards * SHARD} lines, {hours:.2f} h", flush=True)
    (options.out / "done").write_text(f"{shards}\n")


if __name__ == "__main__":
    main()
