"""Scenes -> clips. All random numbers come from the clip's own seed, so the same scene renders the same everywhere."""

from __future__ import annotations

import math
import random

import torch
import torch.nn.functional as F

import characters
import places
from config import FPS, SIZE
from draw import Canvas, constant
from prompts import Scene
from world import ACTION_NAMES, CLOTHES_NAMES, PLACE_NAMES

RATE = {"stand": 0.5, "wave": 0.9, "walk": 1.0, "run": 1.6, "jump": 0.75, "dance": 0.8, "talk": 0.6, "point": 0.7, "float": 0.4, "cheer": 0.9}
PAN = {"walk": 22.0, "run": 44.0}
X = {"left": 78.0, "center": 128.0, "right": 178.0}


def _clip_numbers(scene: Scene, seed: int) -> dict:
    """The clip's own choices: positions, sizes, phases, camera."""
    rng = random.Random(seed)
    out = {"r": [rng.random() for _ in range(8)], "start": rng.random() * 6, "night": float(scene.night), "place": PLACE_NAMES.index(scene.place), "actors": []}
    for a in scene.actors:
        if a.side == "center":
            facing = rng.choice([-1.0, 1.0])
        else:
            facing = 1.0 if a.side == "left" else -1.0
        pair = len(scene.actors) == 2
        out["actors"].append({
            "kind": a.kind, "x": X[a.side] + rng.uniform(-7, 7) + (0 if pair else rng.uniform(-5, 5)), "y": places.GROUND.get(scene.place, 226.0) + rng.uniform(-5, 5),
            "s": rng.uniform(0.98, 1.06) if pair else rng.uniform(1.06, 1.2), "dir": facing, "action": ACTION_NAMES.index(a.action), "clothes": CLOTHES_NAMES.index(a.clothes),
            "talk": 1.0 if a.action == "talk" or rng.random() < 0.6 else 0.0, "w0": rng.random() * 2 * math.pi, "rate": 2 * math.pi * RATE[a.action] * rng.uniform(0.9, 1.1),
            "grounded": 0.0 if scene.place in ("space",) else 1.0, "r": [rng.random() for _ in range(8)],
        })
    lead = scene.actors[0] if scene.actors else None
    pan = PAN.get(lead.action, 0.0) if lead else 0.0
    out["cam0"] = rng.uniform(-16, 16)
    out["pan"] = -out["actors"][0]["dir"] * pan if pan else rng.uniform(-4, 4)
    return out


def render(scenes: list[Scene], seeds: list[int], frames: int, device, size: int = SIZE, start: int = 0, mask: bool = False):
    """-> float [N*frames, 3, size, size] in 0..1, clip after clip; with `mask` also bool [N*frames, 32, 32]: where the characters are."""
    clips = [_clip_numbers(s, k) for s, k in zip(scenes, seeds)]
    n, total = len(clips), len(clips) * frames
    step = torch.arange(start, start + frames, device=device).repeat(n) / FPS
    spread = lambda rows: torch.tensor(rows, device=device, dtype=torch.float32).repeat_interleave(frames, 0)
    t = step + spread([c["start"] for c in clips])
    P = {"t": t, "night": spread([c["night"] for c in clips]), "r": spread([c["r"] for c in clips]), "cam": spread([c["cam0"] for c in clips]) + spread([c["pan"] for c in clips]) * step}
    canvas = Canvas(total, size, device)
    which = spread([float(c["place"]) for c in clips]).long()
    for i in sorted({c["place"] for c in clips}):
        index = torch.nonzero(which == i)[:, 0]
        part = canvas.subset(index)
        places.DRAW[PLACE_NAMES[i]](part, {k: v[index] for k, v in P.items()})
        canvas.restore(index, part)
    empty = canvas.rgb.clone() if mask else None
    for slot in (0, 1):
        for kind, draw in characters.DRAW.items():
            rows = [i for i, c in enumerate(clips) if len(c["actors"]) > slot and c["actors"][slot]["kind"] == kind]
            if not rows:
                continue
            index = (torch.tensor(rows, device=device)[:, None] * frames + torch.arange(frames, device=device)[None]).flatten()
            pick = lambda key: torch.tensor([clips[i]["actors"][slot][key] for i in rows], device=device, dtype=torch.float32).repeat_interleave(frames, 0)
            A = {k: pick(k) for k in ("x", "y", "s", "dir", "talk", "w0", "rate", "grounded", "r")}
            A["action"], A["clothes"] = pick("action").long(), pick("clothes").long()
            A["t"], A["night"] = t[index], P["night"][index]
            A["phase"] = A["w0"] + A["rate"] * step[index]
            part = canvas.window(index, A["x"])
            before = part.rgb.clone()
            draw(part, A)
            night = A["night"].reshape(-1, 1, 1, 1)
            changed = ((part.rgb - before).abs().sum(1, keepdim=True) > 0.004) & (night > 0)
            cool = part.rgb * constant((0.78, 0.82, 0.98), device).reshape(1, 3, 1, 1)
            part.rgb = torch.where(changed, cool, part.rgb)
            canvas.close(index, part)
    if not mask:
        return canvas.rgb.clamp_(0, 1)
    changed = ((canvas.rgb - empty).abs().sum(1, keepdim=True) > 0.02).float()
    return canvas.rgb.clamp_(0, 1), F.avg_pool2d(changed, size // 32)[:, 0] > 0.1


def sheet(frames: torch.Tensor, columns: int, path, scale: int = 1):
    """[N,3,H,W] in 0..1 -> one PNG."""
    from PIL import Image

    n, _, h, w = frames.shape
    rows = (n + columns - 1) // columns
    board = torch.ones(3, rows * h, columns * w)
    for i, f in enumerate(frames.float().cpu().clamp(0, 1)):
        r, k = divmod(i, columns)
        board[:, r * h : (r + 1) * h, k * w : (k + 1) * w] = f
    image = Image.fromarray((board.permute(1, 2, 0).numpy() * 255).round().astype("uint8"))
    if scale != 1:
        image = image.resize((image.width // scale, image.height // scale), Image.LANCZOS)
    path = str(path)
    image.save(path + ".tmp", format="PNG")
    import os

    os.replace(path + ".tmp", path)


if __name__ == "__main__":
    import sys
    import time

    from prompts import Actor

    torch.set_num_threads(2)
    scenes = []
    casts = [["temo", "felfel"], ["temo"], ["felfel"], ["child"]]
    for i in range(24):
        cast = casts[i % 4] if i >= 12 else ["temo", "felfel"]
        sides = ["left", "right"] if len(cast) == 2 else ["center"]
        scenes.append(Scene(PLACE_NAMES[i % 12], i >= 12 and i % 3 == 0, [Actor(k, CLOTHES_NAMES[(i + 3 * j) % 10], ACTION_NAMES[(i * 3 + j) % 10], sides[j]) for j, k in enumerate(cast)], set()))
    t0 = time.time()
    out = render(scenes, list(range(24)), 1, "cpu")
    print("rendered", out.shape, time.time() - t0)
    sheet(out, 6, sys.argv[1])
