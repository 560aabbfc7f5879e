"""Shards of synth.py as arrays; batches for the codec and the language model."""

import time
from pathlib import Path

import numpy as np

import config as c
from normalise import encode


def shard_paths(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("shard-*.npz") if ".tmp" not in p.name)


def wait_for(folder: Path, shards: int) -> None:
    while len(shard_paths(folder)) < shards and not (folder / "done").exists():
        time.sleep(0.5)


def load_pcm(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """All lines of the shards: int16 samples one after another, and their lengths in samples."""
    parts = [np.load(p) for p in paths]
    return np.concatenate([d["pcm"] for d in parts]), np.concatenate([d["lengths"] for d in parts])


class Lines:
    """Codes, texts, speakers and reading positions of all encoded lines (codes-*.npz)."""

    def __init__(self, paths: list[Path]):
        parts = [np.load(p) for p in paths]
        self.codes = np.concatenate([d["codes"] for d in parts])  # uint8 [frames, channels]
        self.reading = np.concatenate([d["reading"] for d in parts]).astype(np.float32)
        self.frames = np.concatenate([d["frames"] for d in parts])
        self.speakers = np.concatenate([d["speakers"] for d in parts])
        self.texts = np.concatenate([d["texts"] for d in parts])
        self.characters = np.array([len(t) for t in self.texts])
        self.offsets = np.concatenate([[0], np.cumsum(self.frames)])
        self.of_speaker = {s: np.flatnonzero(self.speakers == s) for s in (1, 2)}

    def dialogue(self, random: np.random.Generator, room: int) -> list[int]:
        """1 to 4 lines of at most `room` frames together; mostly alternating speakers."""
        turns = 1 if random.random() < 0.3 else int(random.integers(2, 9))
        speaker, chosen = int(random.integers(1, 3)), []
        for _ in range(turns):
            line = int(random.choice(self.of_speaker[speaker]))
            if chosen and self.frames[line] > room:
                break
            chosen.append(line)
            room -= int(self.frames[line])
            speaker = 3 - speaker if random.random() < 0.9 else speaker
        return chosen

    def example(self, lines: list[int]) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Text ids, codes [frames, channels] and, per frame, the position in the text ids."""
        ids = encode([(int(self.speakers[i]), str(self.texts[i])) for i in lines])
        codes, reading, start = [], [], 2
        for i in lines:
            a, b = self.offsets[i], self.offsets[i + 1]
            codes.append(self.codes[a:b])
            reading.append(self.reading[a:b] + start)
            start += len(self.texts[i]) + 3
        return ids, np.concatenate(codes), np.concatenate(reading)


def delayed(codes: np.ndarray, rows: int) -> np.ndarray:
    """codes [T, C] -> [rows, C]: BOS row, codes, EOS, each channel shifted by its delay, PAD after."""
    out = np.full((rows, c.CODEBOOKS), c.PAD, np.int16)
    for channel, delay in enumerate(c.DELAYS):
        out[: delay + 1, channel] = c.BOS
        out[delay + 1 : delay + 1 + len(codes), channel] = codes[:, channel]
        out[delay + 1 + len(codes), channel] = c.EOS
    return out


def text_width(length: int) -> int:
    """Bytes of text beside `length` frames: flite speaks a character in 3 frames or more."""
    return min(c.MAX_TEXT, 64 * (1 + length // 160))


def batch(lines: Lines, random: np.random.Generator, frames: int, length: int) -> dict[str, np.ndarray]:
    """About `frames` frames of examples no longer than `length`, padded to one static shape per length."""
    count = max(1, frames // length)
    rows = length + 2 + max(c.DELAYS)
    examples, width = [], text_width(length)
    while len(examples) < count:
        chosen = lines.dialogue(random, length)
        total = int(sum(lines.frames[i] for i in chosen))
        characters = sum(lines.characters[i] + 3 for i in chosen) - 1
        if total > length or characters > width or (total < length * 0.55 and length > 160):
            continue
        examples.append(lines.example(chosen))
    text = np.zeros((count, width), np.uint8)
    audio = np.zeros((count, rows, c.CODEBOOKS), np.int16)
    reading = np.full((count, rows - 1), -100.0, np.float32)
    for row, (ids, codes, position) in enumerate(examples):
        text[row, : len(ids)] = ids
        audio[row] = delayed(codes, rows)
        reading[row, : len(position)] = position
    return {"text": text, "audio": audio, "reading": reading}
