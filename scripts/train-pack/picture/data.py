"""Scenes, prompts and labels in bulk, made by several processes before CUDA starts."""

from __future__ import annotations

import os
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from prompts import prompt_of, random_scene
from world import ACTION_NAMES, CLOTHES_NAMES, KINDS, PLACE_NAMES

SIDE_NAMES = ["left", "center", "right"]
# label: number of classes. Per actor kind 0 means "not named".
LABELS = {"place": len(PLACE_NAMES), "night": 2, "kids": 3}
for _k in ("temo", "felfel", "child"):
    LABELS |= {f"{_k}_side": 4, f"{_k}_clothes": len(CLOTHES_NAMES) + 1, f"{_k}_action": len(ACTION_NAMES) + 1}
CASTS = [([], 1), (["temo"], 3), (["felfel"], 3), (["child"], 3), (["temo", "felfel"], 3), (["felfel", "temo"], 2), (["child", "child"], 1)]


def labels_of(scene):
    out = {k: 0 for k in LABELS}
    out["place"], out["night"] = PLACE_NAMES.index(scene.place), int(scene.night)
    out["kids"] = sum(a.kind == "child" for a in scene.actors)
    for a in scene.actors:
        if out[f"{a.kind}_side"]:
            continue
        out[f"{a.kind}_side"] = 1 + SIDE_NAMES.index(a.side)
        out[f"{a.kind}_clothes"] = 1 + CLOTHES_NAMES.index(a.clothes)
        out[f"{a.kind}_action"] = 1 + ACTION_NAMES.index(a.action)
    return [out[k] for k in LABELS]


def _text_chunk(args):
    seed, count = args
    rng, rows = random.Random(seed), []
    for _ in range(count):
        cast = rng.choices([c for c, _ in CASTS], [w for _, w in CASTS])[0]
        scene = random_scene(rng, cast)
        rows.append((prompt_of(rng, scene), labels_of(scene)))
    return rows


# kind of clip: 0 base (no adapter), 1 temo, 2 felfel, 3 both
def _clip(rng, kind):
    """-> (scene to draw, scene to describe)"""
    if kind == 0:
        u = rng.random()
        drawn = [] if u < 0.2 else ["child"] if u < 0.85 else ["child", "child"]
        said = list(drawn)
        if drawn and rng.random() < 0.3:
            said = [rng.choice(["temo", "felfel"])] if len(drawn) == 1 else rng.sample(["temo", "felfel"], 2)
    else:
        drawn = {1: ["temo"], 2: ["felfel"], 3: rng.choice([["temo", "felfel"], ["temo", "felfel"], ["felfel", "temo"]])}[kind]
        said = ["child"] * len(drawn) if rng.random() < 0.1 else list(drawn)
    while True:
        scene = random_scene(rng, said, None)
        from prompts import is_held_out

        lead = scene.actors[0].action if scene.actors else "none"
        if not is_held_out(drawn, scene.place, lead) and not is_held_out(said, scene.place, lead):
            return scene, drawn


def _clip_chunk(args):
    seed, count, variants, kinds = args
    rng, rows = random.Random(seed), []
    for i in range(count):
        kind = kinds[(seed + i) % len(kinds)]
        scene, drawn = _clip(rng, kind)
        texts = [prompt_of(rng, scene) for _ in range(variants)]
        for a, k in zip(scene.actors, drawn):
            a.kind = k
        rows.append((kind, scene, texts, rng.randrange(2**31)))
    return rows


def spread(job, jobs):
    workers = min(24, os.cpu_count() or 2)
    if len(jobs) < 2 or workers < 4:
        return [r for j in jobs for r in job(j)]
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        return [r for rows in pool.map(job, jobs) for r in rows]


def text_rows(count, seed):
    size = 4000
    return spread(_text_chunk, [(seed * 100003 + i, min(size, count - i * size)) for i in range((count + size - 1) // size)])


# Felfel and the pair are harder than Temo alone, children and empty places easier.
KIND_MIX = [0, 1, 2, 3, 2, 3, 1, 2, 3, 0, 3, 2, 1, 3, 2, 3, 1, 3, 2, 3]


def clip_rows(count, seed, variants=6, kinds=None):
    size = 500
    return spread(_clip_chunk, [(seed * 100003 + i, min(size, count - i * size), variants, kinds or KIND_MIX) for i in range((count + size - 1) // size)])
