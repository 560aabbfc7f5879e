"""Measures generated clips with the judge (a classifier trained on rendered frames only).

  picture.py prompts                        writes prompts.json: 100 prompts that training never saw
  picture.py sample --out DIR               samples them in torch from the run in $TRAIN_DIR, then measures
  picture.py judge MANIFEST --judge FILE    measures files a product rendered; MANIFEST is a JSON list of
                                            {prompt, characters, place, file}, file an MP4 or a folder of PNG frames
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "picture"))
import config
import judge as judging
import prompts
import render
from world import PLACE_NAMES

PROMPTS = HERE / "prompts.json"


def make_prompts():
    """32 of Temo, 32 of Felfel, 36 of both; combinations and sentence patterns held out from training."""
    rng, rows, seen = random.Random(20), [], set()
    casts = [["temo"]] * 32 + [["felfel"]] * 32 + [["temo", "felfel"]] * 26 + [["felfel", "temo"]] * 10
    for i, cast in enumerate(casts):
        while True:
            scene = prompts.random_scene(rng, cast, True)
            scene.said |= {"place", "night"}
            # The places come in turn as far as the held-out combinations reach.
            if scene.place == PLACE_NAMES[(i * 5 + 1) % 12] or rng.random() < 0.01:
                text = prompts.test_prompt(rng, scene)
                if text not in seen:
                    break
        seen.add(text)
        rows.append({"id": i, "prompt": text, "characters": sorted(cast, reverse=True), "place": scene.place, "action": scene.actors[0].action, "seed": 1000 + i})
    PROMPTS.write_text("[\n" + ",\n".join(" " + json.dumps(r) for r in rows) + "\n]\n")
    print(f"{len(rows)} prompts, places {sorted(((sum(r['place'] == p for r in rows), p) for p in PLACE_NAMES))}")


def motion(frames):
    """Mean absolute change from frame to frame (per mille of the full range), and jerkiness: the change of the change over the change."""
    d = frames[1:] - frames[:-1]
    change = d.abs().mean()
    jerk = (d[1:] - d[:-1]).abs().mean()
    return float(change) * 1000, float(jerk / (change + 1e-6))


def measure(judge, clips):
    """clips: iterable of (row, frames [T,3,H,W] in 0..1)."""
    rows = []
    for row, frames in clips:
        found = judging.judge_clip(judge, frames)
        change, jerk = motion(frames)
        rows.append({**{k: row[k] for k in ("prompt", "characters", "place") if k in row}, "found": found, "motion": round(change, 2), "jerk": round(jerk, 3)})
    return rows


def mean(values):
    values = list(values)
    return sum(values) / max(1, len(values))


def figures(rows):
    pairs = [r for r in rows if len(r["characters"]) == 2]
    return {
        "clips": len(rows),
        "right_characters": sum(sorted(r["characters"]) == sorted(r["found"]["characters"]) for r in rows),
        "right_place": sum(r["place"] == r["found"]["place"] for r in rows),
        "pairs": len(pairs),
        "both_present": sum({"temo", "felfel"} <= set(r["found"]["characters"]) for r in pairs),
        "motion": round(mean(r["motion"] for r in rows), 2),
        "moving": sum(r["motion"] > 2 for r in rows),
        "jerk": round(mean(r["jerk"] for r in rows), 3),
    }


def table(result):
    g, r = result["generated"], result.get("rendered")
    lines = [
        f"right character set   {g['right_characters']} of {g['clips']}  (bar 95)",
        f"right place           {g['right_place']} of {g['clips']}  (bar 85)",
        f"both present          {g['both_present']} of {g['pairs']}  (bar 90 %)",
        f"motion (per mille)    {g['motion']}" + (f"   rendered {r['motion']}" if r else "") + f"   moving {g['moving']} of {g['clips']}",
        f"jerk (lower=smoother) {g['jerk']}" + (f"   rendered {r['jerk']}" if r else ""),
    ]
    return "\n".join(lines)


def rendered_reference(judge, device, count=100, frames=16):
    """The same measures on rendered clips of the held-out combinations."""
    rng = random.Random(77)

    def clips():
        for i in range(count):
            cast = [["temo"], ["felfel"], ["temo", "felfel"]][i % 3]
            scene = prompts.random_scene(rng, cast, True)
            yield {"prompt": "", "characters": cast, "place": scene.place}, render.render([scene], [i], frames, device)

    return figures(measure(judge, clips()))


def read_frames(path: Path):
    """An MP4 (through ffmpeg) or a folder of PNG frames -> [T,3,256,256]"""
    import numpy as np

    if path.is_dir():
        from PIL import Image

        frames = [np.asarray(Image.open(f).convert("RGB").resize((256, 256))) for f in sorted(path.glob("*.png"))]
        return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-vf", "scale=256:256", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8).reshape(-1, 256, 256, 3).permute(0, 3, 1, 2).float() / 255


def contact_sheet(clips, path, count=24):
    """One row of two frames per clip, eight clips a row of the sheet."""
    chosen = [clips[i] for i in torch.linspace(0, len(clips) - 1, min(count, len(clips))).long().tolist()]
    render.sheet(torch.cat([f[[len(f) // 4, 3 * len(f) // 4]] for _, f in chosen]), 8, path, scale=2)


def run_sample(args):
    import models
    import sample
    import stage_text
    import stage_vae
    import tokenizer
    from trainer import DEVICE, setup, state

    setup(9)
    dtype = torch.bfloat16 if DEVICE == "cuda" else torch.float32
    rows = json.loads(PROMPTS.read_text())
    steps, frames = args.steps, args.frames
    if config.TINY:
        rows, steps, frames = rows[::50], 2, 8
    unet, owner, _, _ = models.build_unet()
    saved = state.load("unet") or state.load("unet_start")
    unet.load_state_dict(saved["ema"])
    unet = unet.to(DEVICE, dtype).eval()
    text, tok, vae = stage_text.load_frozen(), tokenizer.Tokenizer(config.TRAIN_DIR / "tokenizer"), stage_vae.load_frozen(dtype)
    judge = judging.load(config.TRAIN_DIR / "judge.pt", DEVICE)
    args.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for guidance in [float(g) for g in args.guidance.split(",")]:
        clips, start = [], time.time()
        for i in range(0, len(rows), 50):
            part = rows[i : i + 50]
            z = sample.sample(unet, owner, text, tok, [r["prompt"] for r in part], [sample.scales_for(r["characters"]) for r in part], [r["seed"] for r in part], frames, steps, guidance, device=DEVICE, dtype=dtype)
            clips += list(zip(part, sample.decode(vae, z).cpu()))
        measured = measure(judge, ((r, f.to(DEVICE)) for r, f in clips))
        results[guidance] = figures(measured)
        state.log(f"evaluation at step {saved['step']}, guidance {guidance}: {results[guidance]} ({time.time() - start:.0f} s)")
        (args.out / f"clips-{guidance}.json").write_text(json.dumps(measured, indent=1))
        contact_sheet(clips, args.out / f"sheet-{guidance}.png")
    # Without an adapter the base model draws a child, whatever name the prompt says.
    base = [{"prompt": r["prompt"].replace("felfel", who).replace("temo", who), "characters": ["child"], "place": r["place"], "seed": r["seed"]} for who in ("a child", "temo") for r in rows[:12]]
    z = sample.sample(unet, owner, text, tok, [r["prompt"] for r in base], [(0.0, 0.0)] * len(base), [r["seed"] for r in base], frames, steps, float(args.guidance.split(",")[0]), device=DEVICE, dtype=dtype)
    shown = list(zip(base, sample.decode(vae, z).cpu()))
    contact_sheet(shown, args.out / "sheet-base.png")
    alone = figures(measure(judge, ((r, f.to(DEVICE)) for r, f in shown)))
    first = float(args.guidance.split(",")[0])
    out = {"step": saved["step"], "guidance": first, "generated": results[first], "by_guidance": results, "base_without_adapter": alone, "rendered": rendered_reference(judge, DEVICE, 2 if config.TINY else 100, frames)}
    (args.out / "figures.json").write_text(json.dumps(out, indent=1))
    state.log("figures\n" + table(out))


def run_judge(args):
    judge = judging.load(args.judge)
    base = args.manifest.parent
    rows = json.loads(args.manifest.read_text())
    clips = [(r, read_frames(base / r["file"])) for r in rows]
    measured = measure(judge, clips)
    out = {"generated": figures(measured), "rendered": rendered_reference(judge, "cpu", args.reference) if args.reference else None}
    print(table(out))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        contact_sheet(clips, args.out / "contact-sheet.png")
        (args.out / "figures.json").write_text(json.dumps({**out, "clips": measured}, indent=1))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="command", required=True)
    sub.add_parser("prompts")
    s = sub.add_parser("sample")
    s.add_argument("--out", type=Path, required=True)
    s.add_argument("--guidance", default="2.5,1.8,4", help="values to try; the first is the one that counts")
    s.add_argument("--steps", type=int, default=20)
    s.add_argument("--frames", type=int, default=16)
    j = sub.add_parser("judge")
    j.add_argument("manifest", type=Path)
    j.add_argument("--judge", type=Path, required=True)
    j.add_argument("--out", type=Path)
    j.add_argument("--reference", type=int, default=30, help="rendered clips measured beside")
    args = p.parse_args()
    {"prompts": lambda a: make_prompts(), "sample": run_sample, "judge": run_judge}[args.command](args)


if __name__ == "__main__":
    main()
