"""Scenes and the prompts that describe them.

Held out from training, for the evaluation: every combination of characters, place and action whose hash falls
into the test share, and the sentence patterns of `test_prompt`.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field

from world import (
    ACTION_NAMES, ACTIONS, CLOTHES, CLOTHES_NAMES, DEFAULT_ACTION, DEFAULT_CLOTHES, KINDS, NEGATIVE, NIGHT, NOISE, PAIR_CHILD, PLACE_NAMES, PLACES, QUALITY, SIDES, SUBJECTS,
)


@dataclass
class Actor:
    kind: str  # who the prompt names: temo, felfel or child
    clothes: str
    action: str
    side: str  # left, center, right
    said: set = field(default_factory=set)  # which of clothes, action, side the prompt must say


@dataclass
class Scene:
    place: str
    night: bool
    actors: list
    said: set  # place, night


def is_held_out(kinds, place: str, action: str) -> bool:
    key = "+".join(sorted(kinds)) + "|" + place + "|" + action
    return hashlib.sha256(key.encode()).digest()[0] < 26  # one combination in ten


def random_scene(rng: random.Random, kinds: list[str], held_out: bool | None = False) -> Scene:
    """A scene with these actors; held_out picks from the training (False) or the test combinations (True)."""
    while True:
        said = set()
        place = "park"
        if rng.random() < 0.93:
            place = rng.choice(PLACE_NAMES)
            said.add("place")
        night = rng.random() < 0.33
        if night or rng.random() < 0.25:
            said.add("night")
        actors, shared = [], rng.random() < 0.65
        first = None
        for i, kind in enumerate(kinds):
            a = Actor(kind, DEFAULT_CLOTHES[place], DEFAULT_ACTION.get(place, "stand"), "center")
            if rng.random() < 0.5:
                a.clothes = rng.choice(CLOTHES_NAMES)
                a.said.add("clothes")
            if i and shared and first:
                a.action = first.action
                a.said |= first.said & {"action"}
            elif rng.random() < 0.85:
                a.action = rng.choice(ACTION_NAMES)
                a.said.add("action")
            first = first or a
            actors.append(a)
        if len(actors) == 1 and rng.random() < 0.3:
            actors[0].side = rng.choice(["left", "right"])
            actors[0].said.add("side")
        if len(actors) == 2:
            order = ["left", "right"]
            if rng.random() < 0.4:
                rng.shuffle(order)
                for a in actors:
                    a.said.add("side")
            actors[0].side, actors[1].side = order
        lead = actors[0].action if actors else "none"
        if held_out is None or is_held_out(kinds, place, lead) == held_out:
            return Scene(place, night, actors, said)


def _subject(rng, kind):
    return rng.choice(SUBJECTS[kind])


def _actor_phrase(rng, a: Actor, subject: str, verbs=True) -> str:
    parts = [subject]
    if "action" in a.said and verbs:
        gerunds, thirds = ACTIONS[a.action]
        parts.append(rng.choice(gerunds) if rng.random() < 0.75 else rng.choice(thirds))
    extra = []
    if "clothes" in a.said:
        extra.append(rng.choice(CLOTHES[a.clothes]))
    if "side" in a.said:
        extra.append(rng.choice(SIDES[a.side]))
    rng.shuffle(extra)
    return " ".join(parts + extra)


def _place_phrase(rng, scene):
    return rng.choice(PLACES[scene.place][0])


def _who(rng, actors):
    kinds = [a.kind for a in actors]
    if kinds == ["child", "child"]:
        return rng.choice(PAIR_CHILD)
    names = [_subject(rng, k) if rng.random() < 0.25 else k if k != "child" else _subject(rng, k) for k in kinds]
    who = rng.choice([" and ", " and ", " and ", " with ", " & "]).join(names)
    if len(kinds) == 2 and rng.random() < 0.3:
        who += rng.choice([" characters", " together", " both", " as friends"])
    return who


def prompt_of(rng: random.Random, scene: Scene) -> str:
    """One of many wordings of what the scene shows."""
    place = _place_phrase(rng, scene) if "place" in scene.said else ""
    bare = rng.choice(PLACES[scene.place][1]) if "place" in scene.said else ""
    night = rng.choice(NIGHT[scene.night]) if "night" in scene.said else ""
    actors = scene.actors
    tail = []
    if not actors:
        body = rng.choice([place or "a place", f"view {place}", f"{bare or 'a landscape'}", f"empty {bare or 'scene'}", f"background, {bare or 'nature'}"])
    elif len(actors) == 1:
        a = actors[0]
        subject = _subject(rng, a.kind)
        style = rng.random()
        if style < 0.5:
            body = f"{_actor_phrase(rng, a, subject)} {place}"
        elif style < 0.7:
            body = f"{place} {_actor_phrase(rng, a, subject)}" if place else _actor_phrase(rng, a, subject)
        elif style < 0.85:
            body = f"{_actor_phrase(rng, a, subject)}, {bare}"
        else:
            body = f"{bare}, {_actor_phrase(rng, a, subject)}"
    else:
        a, b = actors
        same = a.action == b.action and a.said & {"action"} == b.said & {"action"}
        who = _who(rng, actors)
        if same:
            act = rng.choice(ACTIONS[a.action][0]) if "action" in a.said else ""
            together = rng.choice(["", "", " together", " side by side"])
            body = f"{who} {act}{together} {place if rng.random() < 0.7 else bare}"
            for one in actors:
                if one.said & {"clothes", "side"}:
                    tail.append(_actor_phrase(rng, one, one.kind if one.kind != "child" else _subject(rng, "child"), verbs=False))
            if rng.random() < 0.25:
                tail.insert(0, rng.choice(["both characters clearly visible", "both visible", "two characters", "best friends"]))
        else:
            link = rng.choice([" and ", ", ", " while "])
            body = f"{_actor_phrase(rng, a, _subject(rng, a.kind))}{link}{_actor_phrase(rng, b, _subject(rng, b.kind))}"
            body = f"{body} {place}" if rng.random() < 0.6 else f"{place}, {body}"
    parts = [body]
    if night:
        if rng.random() < 0.6:
            parts[0] = f"{parts[0]} {night}"
        else:
            tail.append(night)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        tail.append(rng.choice(QUALITY))
    if rng.random() < 0.3:
        tail.insert(rng.randrange(len(tail) + 1), rng.choice(NOISE))
    return finish(rng, ", ".join(p.strip() for p in parts + tail if p.strip()))


def finish(rng, text: str) -> str:
    """Word noise: dropped words, commas, capitals, typing errors."""
    text = " ".join(text.replace(" ,", ",").strip(" ,").split())
    words = text.split()
    keep = [w for w in words if rng.random() > 0.02 or w.strip(",") in ("temo", "felfel")]
    words = keep or words
    if rng.random() < 0.08 and len(words) > 2:
        i = rng.randrange(len(words))
        w = words[i]
        if len(w) > 5 and w not in ("temo", "felfel"):
            j = rng.randrange(len(w) - 1)
            words[i] = w[:j] + w[j + 1] + w[j] + w[j + 2 :]
    text = " ".join(words)
    if rng.random() < 0.15:
        text = text.replace(",", "")
    if rng.random() < 0.3:
        text = text + "."
    return text


def negative(rng) -> str:
    return rng.choice(NEGATIVE)


def test_prompt(rng: random.Random, scene: Scene) -> str:
    """Sentence patterns that training never uses, for the evaluation."""
    place = _place_phrase(rng, scene)
    actors = scene.actors
    names = [a.kind if a.kind != "child" else rng.choice(["a child", "a kid", "a boy", "a girl"]) for a in actors]
    acts = [rng.choice(ACTIONS[a.action][0]) for a in actors]
    wear = [f" {rng.choice(CLOTHES[a.clothes])}" if "clothes" in a.said else "" for a in actors]
    if len(actors) == 1:
        body = rng.choice([
            f"a cartoon of {names[0]}{wear[0]}, who is {acts[0]} {place}",
            f"{place} we see {names[0]}{wear[0]} {acts[0]}",
            f"please draw {names[0]} {acts[0]}{wear[0]} {place}",
            f"once upon a time {names[0]}{wear[0]} was {acts[0]} {place}",
            f"{names[0]}'s great day: {acts[0]} {place}{wear[0]}",
        ])
    else:
        pair = f"{names[0]} and {names[1]}"
        body = rng.choice([
            f"a cartoon of {pair} {acts[0]} {place}",
            f"{place} we see {pair}, they are {acts[0]}",
            f"please draw {names[0]}{wear[0]} {acts[0]} next to {names[1]}{wear[1]} {place}",
            f"once upon a time {pair} were {acts[0]} {place}",
            f"the adventures of {pair}: {acts[0]} {place}, {names[0]} on the {actors[0].side}, {names[1]} on the {actors[1].side}",
        ])
    if scene.night:
        body += rng.choice([", it is night", ", at night", " at night"])
    return " ".join(body.split())
