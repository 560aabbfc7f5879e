"""Word error rate and pitch of spoken sentences, measured with pocketsphinx 5 and its own US English model.

  python voice.py references --out DIR          flite's rendering of the test sentences -> DIR/*.wav + manifest.json
  python voice.py measure DIR [DIR ...]         figures of each folder of WAVs (16 bit mono) with manifest.json,
                                                the first one being flite's reference
manifest.json: [{"file": "000.wav", "text": "…", "speaker": 1}, …]; text as the user wrote it.
"""

import argparse
import json
import multiprocessing
import sys
import wave
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "voice"))

from normalise import normalise_line  # noqa: E402

RATE = 16_000
_decoder = None


def words_of(text: str) -> list[str]:
    return normalise_line(text).translate(str.maketrans("", "", ".,!?")).split()


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    row = list(range(len(hypothesis) + 1))
    for i, r in enumerate(reference, 1):
        previous, row[0] = row[0], i
        for j, h in enumerate(hypothesis, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (r != h))
    return row[-1]


def transcribe(samples: np.ndarray) -> str:
    """samples: int16 [n] at 16 kHz."""
    global _decoder
    if _decoder is None:
        from pocketsphinx import Decoder

        _decoder = Decoder(samprate=RATE, loglevel="FATAL")
    silence = np.zeros(RATE // 4, np.int16)
    _decoder.start_utt()
    _decoder.process_raw(np.concatenate([silence, samples, silence]).tobytes(), full_utt=True)
    _decoder.end_utt()
    hypothesis = _decoder.hyp()
    return hypothesis.hypstr if hypothesis else ""


def median_pitch(samples: np.ndarray) -> float:
    """Median F0 in Hz of the voiced frames (normalised autocorrelation, 60 to 400 Hz); 0 when none is voiced."""
    x = samples.astype(np.float64)
    size, step, low, high = 640, 160, RATE // 400, RATE // 60
    frames = np.lib.stride_tricks.sliding_window_view(x, size)[::step] if len(x) >= size else np.zeros((0, size))
    energy = (frames**2).mean(1)
    frames = frames[energy > 0.1 * energy.mean()] if len(frames) else frames
    if not len(frames):
        return 0.0
    frames = (frames - frames.mean(1, keepdims=True)) * np.hanning(size)
    spectrum = np.fft.rfft(frames, 2048)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, : high + 1]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), 2048)) ** 2)[: high + 1]
    correlation = correlation / np.maximum(correlation[:, :1], 1e-9) / (window / window[0])
    lag = low + correlation[:, low:].argmax(1)
    voiced = correlation[np.arange(len(lag)), lag] > 0.5
    return float(np.median(RATE / lag[voiced])) if voiced.any() else 0.0


def _measure_one(job: tuple[np.ndarray, str]) -> tuple[int, int, str, float]:
    samples, text = job
    heard = transcribe(samples)
    reference = words_of(text)
    return edit_distance(reference, heard.split()), len(reference), heard, median_pitch(samples)


def measure(items: list[tuple[np.ndarray, str, int]], processes: int = 8) -> dict:
    """items: (int16 samples, text, speaker). Returns wer, per-speaker wer and median pitch, and the details."""
    jobs = [(samples, text) for samples, text, _ in items]
    with multiprocessing.get_context("fork").Pool(min(processes, len(jobs))) as pool:
        rows = pool.map(_measure_one, jobs, chunksize=2)
    result: dict = {"wer": round(sum(r[0] for r in rows) / sum(r[1] for r in rows), 4), "sentences": len(rows)}
    for speaker in (1, 2):
        mine = [r for r, item in zip(rows, items) if item[2] == speaker]
        if mine:
            result[f"s{speaker}"] = {
                "wer": round(sum(r[0] for r in mine) / sum(r[1] for r in mine), 4),
                "pitch": round(float(np.median([r[3] for r in mine])), 1),
            }
    result["details"] = [
        {"text": text, "heard": r[2], "errors": r[0], "words": r[1], "pitch": round(r[3], 1), "speaker": speaker}
        for r, (_, text, speaker) in zip(rows, items)
    ]
    return result


def told_apart(result: dict, reference: dict) -> int:
    """Sentences whose median pitch lies on their own speaker's side of the (geometric) middle of flite's two voices."""
    if "s1" not in reference or "s2" not in reference:
        return 0
    middle = (reference["s1"]["pitch"] * reference["s2"]["pitch"]) ** 0.5
    first_is_high = reference["s1"]["pitch"] > reference["s2"]["pitch"]
    return sum((d["pitch"] > middle) == ((d["speaker"] == 1) == first_is_high) and d["pitch"] > 0 for d in result["details"])


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{path}: 16-bit mono at {RATE} Hz is needed")
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def write_wav(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setframerate(RATE)
        file.setnchannels(1)
        file.setsampwidth(2)
        file.writeframes(samples.astype(np.int16).tobytes())


def sentences(part: str = "test") -> list[dict]:
    return json.loads((HERE / "sentences.json").read_text())[part]


def references(out: Path, part: str) -> None:
    import config as c
    from flite import Flite

    out.mkdir(parents=True, exist_ok=True)
    flite, manifest = Flite(tuple(c.VOICES.values())), []
    for i, item in enumerate(sentences(part)):
        samples, _ = flite.say(normalise_line(item["text"]), c.VOICES[item["speaker"]])
        write_wav(out / f"{i:03d}.wav", samples)
        manifest.append({"file": f"{i:03d}.wav", **item})
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["references", "measure"])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", default="test", choices=["test", "dev"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--details", action="store_true")
    parser.add_argument("--json", type=Path, help="also write all figures of the last folder, with details, to this file")
    options = parser.parse_args()
    if options.command == "references":
        references(options.out, options.part)
        return
    reference = None
    for folder in options.folders:
        manifest = json.loads((folder / "manifest.json").read_text())
        items = [(read_wav(folder / m["file"]), m["text"], m["speaker"]) for m in manifest]
        result = measure(items, options.processes)
        reference = reference or result
        result["told_apart"] = told_apart(result, reference)
        result["wer_ratio"] = round(result["wer"] / max(reference["wer"], 1e-9), 3)
        if options.json:
            options.json.write_text(json.dumps(result))
        print(folder, json.dumps({k: v for k, v in result.items() if k != "details" or options.details}))


if __name__ == "__main__":
    main()
