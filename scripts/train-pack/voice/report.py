"""Figures while and after training, written to TRAIN/status.log, metrics.json, sampling.json and samples/.

  python report.py watch --dir TRAIN --every 120      dev sentences with the newest weights, again and again
  python report.py codec --dir TRAIN                  flite and codec resynthesis; picks the better decoder
  python report.py choose --dir TRAIN                 the best of several refined decoders on what Dia says (dev)
  python report.py final --dir TRAIN --seconds 150    chooses sampling on dev, then the figures on test
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import DacModel, DiaForConditionalGeneration

import config as c
from dac import encode_batch
from export import SAMPLING, load_state
from normalise import encode, normalise_line
from sampler import decode, generate

sys.path.insert(0, str(Path(__file__).parent.parent / "evaluate"))
from voice import sentences, told_apart, write_wav  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PROCESSES = max(2, min(24, (os.cpu_count() or 2) - 6))
GRID = [
    {"temperature": t, "top_p": p, "top_k": k, "guidance_scale": g}
    for t, p, k, g in (
        (1.0, 0.9, 20, 2.0), (1.0, 0.8, 10, 3.0), (1.0, 0.7, 10, 1.0), (1.0, 0.5, 5, 3.0), (1.0, 0.7, 8, 3.0), (1.0, 0.8, 10, 4.0),
    )
]  # fmt: skip
DIALOGUES = [
    "[S1] Welcome to our lunar base, Felfel! [S2] This technology is incredible, Temo!",
    "[S1] Look at this incredible landscape! [S2] Amazing discovery!",
    "[S2] Where did you put the map? [S1] It is in my backpack, next to the sandwiches. [S2] Of course it is.",
]


class Bench:
    def __init__(self, folder: Path, part: str, limit: int):
        self.folder = folder
        self.items = sentences(part)[:limit]
        self.texts = [normalise_line(i["text"]) for i in self.items]

    def log(self, message: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {message}"
        print(line, flush=True)
        with open(self.folder / "status.log", "a") as file:
            file.write(line + "\n")

    def reference(self) -> list[np.ndarray]:
        from flite import Flite

        flite = Flite(tuple(c.VOICES.values()))
        return [flite.say(t, c.VOICES[i["speaker"]])[0] for t, i in zip(self.texts, self.items)]

    def measure(self, audio: list[np.ndarray]) -> dict:
        """In a process of its own: recognisers are forked, which a process that holds a GPU must not do."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            manifest = [{"file": f"{n:03d}.wav", **item} for n, item in enumerate(self.items)]
            for entry, samples in zip(manifest, audio):
                write_wav(folder / entry["file"], samples)
            (folder / "manifest.json").write_text(json.dumps(manifest))
            script = Path(__file__).parent.parent / "evaluate" / "voice.py"
            command = [sys.executable, str(script), "measure", str(folder), "--processes", str(PROCESSES)]
            subprocess.run([*command, "--json", str(folder / "result.json")], check=True, stdout=subprocess.DEVNULL)
            return json.loads((folder / "result.json").read_text())

    def dia(self):
        model = DiaForConditionalGeneration(c.dia_config())
        load_state(model, self.folder / "dia-ema.pt")
        return model.to(DEVICE).eval()

    def dac(self, name: str | None = None):
        model = DacModel(c.dac_config())
        refined = self.folder / "dac-refined.pt"
        load_state(model, self.folder / name if name else refined if refined.exists() else self.folder / "dac.pt")
        return model.to(DEVICE).eval()

    def speak(self, dia, dac, settings: dict, seed: int = 0) -> list[np.ndarray]:
        ids = [encode([(i["speaker"], t)]) for t, i in zip(self.texts, self.items)]
        longest = max(map(len, ids))
        return [decode(dac, codes) for codes in generate(dia, ids, settings, seed, max_frames=min(c.MAX_FRAMES, 60 + 6 * longest))]


def short(result: dict) -> str:
    return json.dumps({k: v for k, v in result.items() if k != "details"})


def save_samples(bench: Bench, dia, dac, settings: dict, name: str) -> None:
    import re

    folder = bench.folder / "samples"
    folder.mkdir(exist_ok=True)
    chunks = [[(int(s), normalise_line(t)) for s, t in re.findall(r"\[S([12])\]([^\[]*)", d)] for d in DIALOGUES]
    for i, codes in enumerate(generate(dia, [encode(chunk) for chunk in chunks], settings, 1)):
        write_wav(folder / f"{name}-dialogue-{i}.wav", decode(dac, codes))


def watch(folder: Path, every: float, limit: int) -> None:
    bench, seen = Bench(folder, "dev", limit), 0.0
    while True:
        newest = folder / "dia-ema.pt"
        if newest.exists() and newest.stat().st_mtime > seen:
            seen = newest.stat().st_mtime
            dia, dac = bench.dia(), bench.dac()
            audio = bench.speak(dia, dac, SAMPLING)
            result = bench.measure(audio)
            seconds = sum(map(len, audio)) / c.SAMPLE_RATE
            bench.log(f"dev {short(result)} audio {seconds:.0f} s; e.g. {[(d['text'], d['heard']) for d in result['details'][:3]]}")
            save_samples(bench, dia, dac, SAMPLING, "latest")
            del dia, dac
        if (folder / "dia.done").exists():
            return
        time.sleep(every)


def codec(folder: Path, limit: int) -> None:
    """Resynthesis of the dev sentences: a refined decoder is taken only when it is at least as intelligible."""
    bench = Bench(folder, "dev", limit)
    reference = bench.reference()
    base = bench.measure(reference)
    bench.log(f"flite {short(base)}")
    padded = [np.pad(x, (0, -len(x) % c.HOP)) for x in reference]
    scores = {}
    for name in ("dac.pt", "dac-refine-candidate.pt"):
        if (folder / name).exists():
            dac = bench.dac(name)
            audio = [decode(dac, codes) for codes in encode_batch(dac, padded)]
            scores[name] = bench.measure(audio)
            bench.log(f"codec {name} {short(scores[name])}")
            (folder / "samples").mkdir(exist_ok=True)
            for i in range(2):
                write_wav(folder / "samples" / f"{Path(name).stem}-{i}.wav", audio[i])
                write_wav(folder / "samples" / f"flite-{i}.wav", reference[i])
    if "dac-refine-candidate.pt" in scores and scores["dac-refine-candidate.pt"]["wer"] <= scores["dac.pt"]["wer"] + 0.01:
        (folder / "dac-refined.pt").write_bytes((folder / "dac-refine-candidate.pt").read_bytes())
        bench.log("refined decoder taken")


def choose(folder: Path, limit: int) -> None:
    """Word errors of dev sentences as Dia says them (two seeds) and as the codec repeats them, by each refined decoder; the best is taken."""
    bench = Bench(folder, "dev", limit)
    given = json.loads((folder / "sampling.json").read_text()) if (folder / "sampling.json").exists() else SAMPLING
    dia, base = bench.dia(), bench.dac("dac.pt")
    ids = [encode([(i["speaker"], t)]) for t, i in zip(bench.texts, bench.items)]
    said = [generate(dia, ids, given, seed, max_frames=min(c.MAX_FRAMES, 60 + 6 * max(map(len, ids)))) for seed in (0, 1)]
    said.append(encode_batch(base, [np.pad(x, (0, -len(x) % c.HOP)) for x in bench.reference()]))
    best, best_wer = None, 10.0
    for path in [folder / "dac.pt", *sorted(folder.glob("dac-refine-*.pt"))]:
        dac = bench.dac(path.name)
        wers = [bench.measure([decode(dac, codes) for codes in part])["wer"] for part in said]
        bench.log(f"decoder {path.name}: dev as Dia says it {wers[0]}, {wers[1]}, as the codec repeats it {wers[2]}")
        if sum(wers) < best_wer:
            best, best_wer = path, sum(wers)
    (folder / "dac-refined.pt").write_bytes(best.read_bytes())
    bench.log(f"decoder {best.name} taken")


def final(folder: Path, seconds: float, limit: int) -> None:
    started = time.time()
    if not (folder / "dac-refined.pt").exists():
        codec(folder, limit)
    dev, test = Bench(folder, "dev", limit), Bench(folder, "test", 100 if limit >= 40 else limit)
    dia, dac = dev.dia(), dev.dac()
    best, best_wer = SAMPLING, 10.0
    for settings in GRID:
        if time.time() - started > 0.6 * seconds:
            break
        result = dev.measure(dev.speak(dia, dac, settings))
        dev.log(f"dev {json.dumps(settings)} wer {result['wer']}")
        if result["wer"] < best_wer:
            best, best_wer = settings, result["wer"]
            (folder / "sampling.json").write_text(json.dumps(best))
    reference = test.reference()
    base = test.measure(reference)
    audio = test.speak(dia, dac, best, seed=7)
    generated = test.measure(audio)
    resynthesis = test.measure([decode(dac, k) for k in encode_batch(dac, [np.pad(x, (0, -len(x) % c.HOP)) for x in reference])])
    metrics = {"sampling": best, "flite": base, "codec": resynthesis, "generated": generated}
    metrics["told_apart"] = told_apart(generated, base)
    metrics["wer_ratio"] = round(generated["wer"] / max(base["wer"], 1e-9), 3)
    test.log(f"final flite {short(base)} codec {short(resynthesis)} generated {short(generated)}")
    test.log(f"final told apart {metrics['told_apart']} of {len(audio)}, wer ratio {metrics['wer_ratio']}")
    (folder / "details.json").write_text(json.dumps(metrics, indent=1))
    for part in ("flite", "codec", "generated"):
        metrics[part].pop("details")
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))
    save_samples(test, dia, dac, best, "final")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["watch", "codec", "choose", "final"])
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--every", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--limit", type=int, default=40)
    options = parser.parse_args()
    if options.command == "watch":
        watch(options.dir, options.every, options.limit)
    elif options.command == "codec":
        codec(options.dir, options.limit)
    elif options.command == "choose":
        choose(options.dir, options.limit)
    else:
        final(options.dir, options.seconds, options.limit)
