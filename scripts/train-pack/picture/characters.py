"""Temo, Felfel and the generic child: one rig of joint angles, three ways to draw it.

All parameters are one value per picture: x, y (the feet), s (scale), dir (-1 looks left, 1 right), t, phase, action, clothes, night,
talk (0 or 1), r [B,8].
"""

from __future__ import annotations

import math

import torch

from draw import Canvas, constant, rgb
from world import ACTION_NAMES, CLOTHES_NAMES

C = {n: i for i, n in enumerate(CLOTHES_NAMES)}
#                 casual     space_suit raincoat   adventure  school     swimwear   winter     pyjamas    superhero  chef
TOP = {
    "temo":   ["#f2c230", "#f3f5fa", "#ffd21f", "#b08a4e", "#2d4a8a", "#f4bf96", "#c9392f", "#a9c8f2", "#2b50c8", "#ffffff"],
    "felfel": ["#6a4fd0", "#f3f5fa", "#ffd21f", "#b08a4e", "#2d4a8a", "#2f9ed6", "#3f6fd1", "#c7b4ee", "#7a2bc8", "#ffffff"],
    "child":  ["#5fae5a", "#f3f5fa", "#ffd21f", "#b08a4e", "#2d4a8a", "#e8b48c", "#7a4fa8", "#f2b8cf", "#c82b4a", "#ffffff"],
}
LEGS = ["#3565c9", "#e2e6f0", "#3a6ea5", "#7b5a33", "#3d4458", "#e8413c", "#34476b", "#a9c8f2", "#c8322b", "#4a4f5c"]
SHOES = ["#d8402f", "#aab2c6", "#e2a100", "#5a3d22", "#2a2a33", "#f0c09a", "#6b4326", "#8fb0e0", "#c8322b", "#2a2a33"]
LINE = "#2b2030"


def table(hexas, index):
    return constant(tuple(rgb(h) for h in hexas), index.device)[index]


def pose(P):
    """Joint angles (radians from straight down, positive to the character's right of the picture) and body offsets."""
    w, a = P["phase"], P["action"]
    s1, c1, s2 = torch.sin(w), torch.cos(w), torch.sin(2 * w)
    z = torch.zeros_like(w)
    d = P["dir"]
    up = torch.clamp(s1, min=0)
    rows = {  # armL, foreL, armR, foreR, legL, shinL, legR, shinR, rise, lean
        "stand": [-0.35 - 0.06 * s1, -0.15 + z, 0.35 + 0.06 * s1, 0.15 + z, -0.12 + z, z, 0.12 + z, z, 1.2 * s1, 0.02 * s1],
        "wave": [-0.35 + z, -0.2 + z, 2.35 + 0.12 * s2, 2.75 + 0.55 * torch.sin(2 * w), -0.14 + z, z, 0.14 + z, z, 1.0 * s1, 0.05 * s1],
        "walk": [0.65 * s1 - 0.1, 0.65 * s1 + 0.2 * d, -0.65 * s1 + 0.1, -0.65 * s1 + 0.2 * d, -0.55 * s1, -0.55 * s1 - 0.35 * d * up, 0.55 * s1, 0.55 * s1 - 0.35 * d * torch.clamp(-s1, min=0), 3 * c1.abs(), 0.05 * d],
        "run": [1.1 * s1 - 0.1, 1.1 * s1 + 1.1 * d, -1.1 * s1 + 0.1, -1.1 * s1 + 1.1 * d, -0.95 * s1, -0.95 * s1 - 0.9 * d * up, 0.95 * s1, 0.95 * s1 - 0.9 * d * torch.clamp(-s1, min=0), 7 * c1.abs(), 0.2 * d],
        "jump": [-0.5 - 1.7 * up, -0.6 - 1.9 * up, 0.5 + 1.7 * up, 0.6 + 1.9 * up, -0.2 - 0.5 * up, 0.5 * up, 0.2 + 0.5 * up, -0.5 * up, 44 * up - 4 * torch.clamp(-s1, min=0), z],
        "dance": [-1.5 - 1.1 * s1, -1.7 - 1.2 * s1, 1.5 - 1.1 * s1, 1.7 - 1.2 * s1, -0.25 - 0.25 * up, -0.1 + z, 0.25 + 0.25 * torch.clamp(-s1, min=0), 0.1 + z, 4 * s2.abs(), 0.2 * s1],
        "talk": [-0.5 - 0.25 * s1, -1.1 - 0.5 * s2, 0.6 + 0.25 * c1, 1.5 + 0.5 * s1, -0.12 + z, z, 0.12 + z, z, 1.2 * s1, 0.04 * c1],
        "point": [torch.where(d > 0, -0.35 + z, -1.5 - 0.08 * s1), torch.where(d > 0, -0.2 + z, -1.6 - 0.14 * s1), torch.where(d > 0, 1.5 + 0.08 * s1, 0.35 + z), torch.where(d > 0, 1.6 + 0.14 * s1, 0.2 + z), -0.14 + z, z, 0.14 + z, z, 1.2 * s1, 0.06 * d],
        "float": [-1.3 - 0.25 * s1, -1.5 - 0.3 * c1, 1.3 + 0.25 * s1, 1.5 + 0.3 * c1, -0.35 - 0.15 * c1, -0.1 - 0.2 * s1, 0.35 + 0.15 * s1, 0.1 + 0.2 * c1, 34 + 10 * s1, 0.14 * c1],
        "cheer": [-2.55 - 0.25 * s2, -2.9 - 0.2 * s2, 2.55 + 0.25 * s2, 2.9 + 0.2 * s2, -0.2 + z, z, 0.2 + z, z, 9 * s1.abs(), z],
    }
    q = torch.stack([torch.stack([v.expand_as(w) for v in rows[n]]) for n in ACTION_NAMES])  # [A,10,B]
    q = q[a, :, torch.arange(len(a), device=a.device)]
    return dict(zip(("al", "fl", "ar", "fr", "ll", "sl", "lr", "sr", "rise", "lean"), q.T))


class Rig:
    """Turns body coordinates (origin between the feet, y up is negative) into picture coordinates."""

    def __init__(self, P, q):
        self.P, self.q = P, q
        self.cos, self.sin = torch.cos(q["lean"]), torch.sin(q["lean"])

    def at(self, x, y):
        s = self.P["s"]
        px, py = x * s, (y + 30) * s  # leans about the hips
        return self.P["x"] + px * self.cos - py * self.sin, self.P["y"] - self.q["rise"] * s - 30 * s + px * self.sin + py * self.cos


def limb(c, rig, x, y, a1, a2, l1, l2, r, color, hand, hand_r, foot=False):
    s, P = rig.P["s"], rig.P
    x0, y0 = rig.at(x, y)
    x1, y1 = x0 + torch.sin(a1) * l1 * s, y0 + torch.cos(a1) * l1 * s
    x2, y2 = x1 + torch.sin(a2) * l2 * s, y1 + torch.cos(a2) * l2 * s
    d = torch.minimum(c.capsule(x0, y0, x1, y1, r * s), c.capsule(x1, y1, x2, y2, r * s))
    c.paint(d, color, outline=1.6)
    if foot:
        c.paint(c.ellipse(x2 + P["dir"] * 3 * s, y2 + 1.0 * s, hand_r * 1.6 * s, hand_r * s), hand, outline=1.6)
    else:
        c.paint(c.circle(x2, y2, hand_r * s), hand, outline=1.5)


def each(c, P, rig, names, draw):
    """Draws something for those pictures only whose clothes are among `names`."""
    hit = torch.zeros_like(P["clothes"], dtype=torch.bool)
    for n in names:
        hit |= P["clothes"] == C[n]
    i = torch.nonzero(hit)[:, 0]
    if len(i) == 0:
        return
    part = c.subset(i)
    sub = {k: v[i] for k, v in P.items()}
    draw(part, sub, Rig(sub, {k: v[i] for k, v in rig.q.items()}))
    c.restore(i, part)


def face(c: Canvas, P, rig, y, gap, ex, ey, pupil, mouth_y, mouth_w, simple=False):
    """Eyes that blink and follow `dir`, brows, and a mouth that talks or smiles."""
    s, d, t = P["s"], P["dir"], P["t"]
    blink = torch.where(torch.remainder(t + P["r"][:, 1] * 3, 2.6) < 0.2, 0.12, 1.0)
    look = d * 2.2
    for k in (-1.0, 1.0):
        x0, y0 = rig.at(k * gap + look, y)
        if simple:
            c.fill(c.mask(c.ellipse(x0, y0, ex * s, (ey * s * blink).clamp_min(0.8))), LINE)
        else:
            c.paint(c.ellipse(x0, y0, ex * s, (ey * s * blink).clamp_min(1.3)), "#ffffff", outline=1.4)
            open_eye = (blink > 0.5).float()
            c.fill(c.mask(c.circle(x0 + d * 1.6 * s, y0 + 0.6 * s, pupil * s)), "#26202e", open_eye)
            c.fill(c.mask(c.circle(x0 + d * 1.6 * s + 1.2 * s, y0 - 1.0 * s, pupil * 0.38 * s)), "#ffffff", open_eye)
            bx, by = rig.at(k * gap + look, y - ey - 4)
            c.fill(c.mask(c.capsule(bx - 4 * s, by - k * 0.9 * s, bx + 4 * s, by + k * 0.9 * s, 1.2 * s)), LINE)
    mx, my = rig.at(look, mouth_y)
    wobble = (torch.sin(t * 11 + P["r"][:, 2] * 6) * 0.5 + 0.5) * (0.6 + 0.4 * torch.sin(t * 4.3))
    gap_y = P["talk"] * wobble.clamp(0, 1)
    smile = torch.maximum(c.ellipse(mx, my - 1.5 * s, mouth_w * s, mouth_w * 0.62 * s).abs() - (0.9 * s)[:, None, None], (my - 0.5 * s)[:, None, None] - c.y)
    c.fill(c.mask(smile), LINE, (gap_y < 0.22).float())
    talking = (gap_y >= 0.22).float()
    h = (1.6 + 5.0 * gap_y) * s
    m = c.ellipse(mx, my + 0.6 * s, mouth_w * 0.72 * s, h)
    c.fill(c.mask(m - 1.1), LINE, talking)
    c.fill(c.mask(m), "#8e1f32", talking)
    c.fill(c.mask(torch.maximum(c.ellipse(mx, my + 0.6 * s + h * 0.7, mouth_w * 0.5 * s, h * 0.6), m)), "#f2717f", talking)


def helmet(c, P, rig, y, r):
    x0, y0 = rig.at(0.0, y)
    R = r * P["s"]
    d = c.circle(x0, y0, R)
    c.fill(c.mask(d), "#cfeaff", 0.1)
    c.fill(c.mask(d.abs() - 1.9), "#eef4fb")
    c.fill(c.mask((d + 2.2).abs() - 0.5), "#5f6f8c", 0.7)
    c.fill(c.mask(c.ellipse(x0 - R * 0.5, y0 - R * 0.5, R * 0.2, R * 0.1, -0.8)), "#ffffff", 0.85)


def hats(c, P, rig, top, half, brow):
    """Head gear: `top` is the crown's height, `half` the head's half width there, `brow` the brim's height."""

    def dome(part, p, g, color, lift=0.0):
        x, y = g.at(0.0, brow)
        hx, hy = half * p["s"], (brow - top + 5 + lift) * p["s"]
        part.paint(torch.maximum(part.ellipse(x, y, hx, hy), part.y - y[:, None, None]), color, outline=1.7)
        return x, y

    def explorer(part, p, g):
        x, y = dome(part, p, g, "#9a6f38", -1)
        part.paint(part.ellipse(x, y, (half + 13) * p["s"], 4.4 * p["s"]), "#b0824a", outline=1.7)
        part.fill(part.mask(part.box(x, y - 5.5 * p["s"], half * 0.93 * p["s"], 2.0 * p["s"])), "#5f3f1f")

    def hood(part, p, g):
        x, y = dome(part, p, g, "#ffd21f", 3)
        part.paint(part.ellipse(x, y, (half + 4) * p["s"], 3.6 * p["s"]), "#f2b90c", outline=1.6)

    def beanie(part, p, g):
        x, y = dome(part, p, g, "#2f8f8a", 0)
        part.paint(part.box(x, y - 1.5 * p["s"], (half + 1.5) * p["s"], 3.6 * p["s"], 2.5), "#f4efe6", outline=1.6)
        px, py = g.at(0.0, top - 6)
        part.paint(part.circle(px, py, 5.5 * p["s"]), "#f4efe6", outline=1.5)

    def nightcap(part, p, g):
        x, y = dome(part, p, g, "#8fb3ea", 0)
        ex, ey = g.at(half + 4, brow + 2)
        tx, ty = g.at(2.0, top - 2)
        part.paint(part.capsule(tx, ty, ex, ey, 7.0 * p["s"], 3.0 * p["s"]), "#8fb3ea", outline=1.6)
        part.paint(part.circle(ex, ey + 2 * p["s"], 4.2 * p["s"]), "#ffffff", outline=1.4)
        part.paint(part.box(x, y - 1.0 * p["s"], (half + 1) * p["s"], 2.8 * p["s"], 2.0), "#ffffff", outline=1.4)

    def chef(part, p, g):
        x, y = g.at(0.0, brow - 4)
        s = p["s"]
        d = torch.minimum(torch.minimum(part.circle(x - 11 * s, y - 17 * s, 10 * s), part.circle(x + 11 * s, y - 17 * s, 10 * s)), part.circle(x, y - 21 * s, 11 * s))
        part.paint(d, "#ffffff", outline=1.7)
        part.paint(part.box(x, y - 5 * s, half * 0.8 * s, 8 * s, 2.0), "#f4f4f8", outline=1.6)

    def mask(part, p, g):
        pass

    for names, draw in ((["adventure"], explorer), (["raincoat"], hood), (["winter_coat"], beanie), (["pyjamas"], nightcap), (["chef"], chef)):
        each(c, P, rig, names, draw)


def cape(c, P, rig, y, w):
    def draw(part, p, g):
        s = p["s"]
        sway = 5 * torch.sin(p["phase"] + 1)
        x0, y0 = g.at(0.0, y)
        x1, y1 = g.at(-p["dir"] * 8 + sway, y + 40.0)
        part.paint(part.capsule(x0, y0, x1, y1, w * 0.75 * s, w * 1.25 * s), "#d92f2f", outline=1.7)

    each(c, P, rig, ["superhero"], draw)


def torso_details(c, P, rig, y, w):
    """Buttons, badges and straps on a torso centred at y with half width w."""

    def spot(part, g, dx, dy, kind, *size, color):
        x, y0 = g.at(dx, y + dy)
        s = g.P["s"]
        d = part.circle(x, y0, size[0] * s) if kind == "o" else part.box(x, y0, size[0] * s, size[1] * s, 1.0)
        part.paint(d, color, outline=0.9)

    def suit(part, p, g):
        spot(part, g, 0.0, 1.0, "b", 7.0, 5.0, color="#c3cbdb")
        spot(part, g, -3.0, 0.0, "o", 1.7, color="#e8413c")
        spot(part, g, 3.0, 0.0, "o", 1.7, color="#43b0e8")

    def gear(part, p, g):
        s = p["s"]
        for k in (-1.0, 1.0):
            x0, y0 = g.at(k * w * 0.6, y - 11.0)
            x1, y1 = g.at(k * w * 0.6, y + 9.0)
            part.paint(part.capsule(x0, y0, x1, y1, 2.0 * s), "#6e3f1c", outline=0.9)
        spot(part, g, 0.0, 7.0, "b", w * 0.9, 1.8, color="#5a3316")

    def tie(part, p, g):
        spot(part, g, 0.0, -6.0, "b", 4.6, 4.0, color="#ffffff")
        spot(part, g, 0.0, -1.0, "b", 1.9, 7.0, color="#d8322f")

    def coat(part, p, g):
        for k in (-4.0, 2.0, 8.0):
            spot(part, g, 0.0, k, "o", 1.6, color="#f4efe6")
        spot(part, g, 0.0, -11.0, "b", w * 0.95, 3.6, color="#2f8f8a")

    def rain(part, p, g):
        for k in (-5.0, 1.0, 7.0):
            spot(part, g, 0.0, k, "o", 1.5, color="#8a6a00")

    def stripes(part, p, g):
        for k in (-6.0, 0.0, 6.0):
            spot(part, g, 0.0, k, "b", w * 0.85, 1.0, color="#ffffff")

    def badge(part, p, g):
        spot(part, g, 0.0, 0.0, "o", 5.5, color="#ffd940")

    def apron(part, p, g):
        for k in (-5.0, 1.0, 7.0):
            spot(part, g, -3.0, k, "o", 1.2, color="#9aa0ad")
            spot(part, g, 3.0, k, "o", 1.2, color="#9aa0ad")

    for name, draw in (("space_suit", suit), ("adventure", gear), ("school", tie), ("winter_coat", coat), ("raincoat", rain), ("pyjamas", stripes), ("superhero", badge), ("chef", apron)):
        each(c, P, rig, [name], draw)


def eye_mask(c, P, rig, y, w):
    def draw(part, p, g):
        x, y0 = g.at(p["dir"] * 2.0, y)
        part.fill(part.mask(part.box(x, y0, w * p["s"], 8.0 * p["s"], 6.0)), "#2340a8")

    def goggles(part, p, g):
        x, y0 = g.at(0.0, y - 19.0)
        s = p["s"]
        for k in (-7.0, 7.0):
            part.paint(part.ellipse(x + k * s, y0, 6.5 * s, 4.6 * s), "#59c2e8", outline=1.5)

    each(c, P, rig, ["superhero"], draw)
    each(c, P, rig, ["swimwear"], goggles)


def shadow(c, P):
    lift = P["lift"]
    c.fill(c.mask(c.ellipse(P["x"], P["y"] + 3, (26 - lift * 0.25).clamp_min(8) * P["s"], 4.5 * P["s"])), "#141020", 0.3 * P["grounded"])


def temo(c, P):
    q = pose(P)
    P["lift"] = q["rise"]
    g = Rig(P, q)
    s, k = P["s"], P["clothes"]
    skin = "#f4bf96"
    top, legs, shoes = table(TOP["temo"], k), table(LEGS, k), table(SHOES, k)
    swim = (k == C["swimwear"]).float()[:, None]
    skin_t = constant(rgb(skin), c.device)[None]
    calf = legs + (skin_t - legs) * swim
    gloved = (k == C["space_suit"]).float()[:, None]
    hand = skin_t + (constant(rgb("#d7dde9"), c.device)[None] - skin_t) * gloved
    shadow(c, P)
    cape(c, P, g, -52.0, 12.0)
    limb(c, g, -7.0, -27.0, q["ll"], q["sl"], 12.0, 12.0, 5.0, calf, shoes, 5.0, True)
    limb(c, g, 7.0, -27.0, q["lr"], q["sr"], 12.0, 12.0, 5.0, calf, shoes, 5.0, True)
    x, y = g.at(0.0, -28.0)
    c.paint(c.box(x, y, 13.5 * s, 6.5 * s, 4.0), legs, outline=1.7)
    limb(c, g, -13.0, -50.0, q["al"], q["fl"], 13.0, 12.0, 4.4, top, hand, 5.0)
    x, y = g.at(0.0, -42.0)
    c.paint(c.box(x, y, 14.5 * s, 14.0 * s, 8.0, q["lean"]), top, outline=1.8)
    torso_details(c, P, g, -42.0, 14.0)
    limb(c, g, 13.0, -50.0, q["ar"], q["fr"], 13.0, 12.0, 4.4, top, hand, 5.0)
    for e in (-31.0, 31.0):
        x, y = g.at(e, -82.0)
        c.paint(c.circle(x, y, 6.5 * s), "#eeb187", outline=1.6)
    x, y = g.at(0.0, -84.0)
    head = c.circle(x, y, 32.0 * s)
    c.paint(head, skin, outline=2.0)
    c.fill(c.mask(torch.maximum(head + 2, -c.circle(x - 7 * s, y - 7 * s, 34 * s))), "#e3a87f")
    hx, hy = g.at(0.0, -103.0)
    fringe = torch.maximum(head + 1.5, c.y - (hy[:, None, None] + 2.2 * torch.sin((c.x - x[:, None, None]) * 0.45) + 0.012 * (c.x - x[:, None, None]) ** 2))
    c.fill(c.mask(fringe), "#5b3217")
    for dx, dy in ((-8.0, -126.0), (1.0, -131.0), (10.0, -126.0)):
        x0, y0 = g.at(dx * 0.4, -112.0)
        x1, y1 = g.at(dx, dy)
        c.paint(c.capsule(x0, y0, x1, y1, 5.0 * s, 1.6 * s), "#5b3217", outline=1.2)
    eye_mask(c, P, g, -84.0, 27.0)
    for e in (-20.0, 20.0):
        x0, y0 = g.at(e + P["dir"] * 2, -72.0)
        c.fill(c.mask(c.ellipse(x0, y0, 5.5 * s, 3.6 * s)), "#f58f7d", 0.65)
    face(c, P, g, -84.0, 11.5, 6.8, 8.6, 4.2, -67.0, 9.0)
    x0, y0 = g.at(P["dir"] * 3, -76.0)
    c.fill(c.mask(c.ellipse(x0, y0, 2.8 * s, 2.2 * s)), "#dd946b")
    hats(c, P, g, -118.0, 30.0, -98.0)
    each(c, P, g, ["space_suit"], lambda part, p, h: helmet(part, p, h, -84.0, 42.0))


def felfel(c, P):
    q = pose(P)
    P["lift"] = q["rise"]
    g = Rig(P, q)
    s, k = P["s"], P["clothes"]
    red, green = "#e0281f", "#3f9b3a"
    top, shoes = table(TOP["felfel"], k), table(SHOES, k)
    dressed = (k != C["swimwear"]).float()[:, None]
    green_t = constant(rgb("#4a8f3c"), c.device)[None]
    sleeve = green_t + (top - green_t) * 0.0
    shadow(c, P)
    cape(c, P, g, -48.0, 12.0)
    limb(c, g, -6.0, -24.0, q["ll"], q["sl"], 11.0, 11.0, 2.3, sleeve, shoes, 4.6, True)
    limb(c, g, 6.0, -24.0, q["lr"], q["sr"], 11.0, 11.0, 2.3, sleeve, shoes, 4.6, True)
    limb(c, g, -22.0, -56.0, q["al"], q["fl"], 15.0, 14.0, 2.2, sleeve, "#6cbf52", 4.6)
    x0, y0 = g.at(0.0, -80.0)
    x1, y1 = g.at(0.0, -34.0)
    body = torch.minimum(c.capsule(x0, y0, x1, y1, 29.0 * s, 14.0 * s), torch.minimum(c.circle(x0 - 14 * s, y0 - 6 * s, 19 * s), c.circle(x0 + 14 * s, y0 - 6 * s, 19 * s)))
    c.paint(body, red, outline=2.0)
    c.fill(c.mask(torch.maximum(body + 2, -torch.minimum(c.capsule(x0 - 7 * s, y0 - 4 * s, x1 - 6 * s, y1, 30.0 * s, 13.0 * s), c.circle(x0 + 4 * s, y0 - 10 * s, 24 * s)))), "#b41a1e")
    belt = torch.maximum(body + 1.9, (y1 - 12 * s)[:, None, None] - c.y)
    c.fill(c.mask(belt - 1.9) * c.mask(body + 0.2), LINE)
    c.fill(c.mask(belt), top)
    torso_details(c, P, g, -36.0, 13.0)
    limb(c, g, 22.0, -56.0, q["ar"], q["fr"], 15.0, 14.0, 2.2, sleeve, "#6cbf52", 4.6)
    xh, yh = g.at(-19.0, -92.0)
    c.fill(c.mask(c.ellipse(xh, yh, 4.0 * s, 8.0 * s, 0.45)), "#ff9a86", 0.85)
    xs, ys = g.at(0.0, -107.0)
    for dx, dy in ((-22.0, -102.0), (-13.0, -121.0), (13.0, -121.0), (22.0, -102.0)):
        x2, y2 = g.at(dx, dy)
        c.paint(c.capsule(xs, ys, x2, y2, 6.0 * s, 2.0 * s), green, outline=1.4)
    x2, y2 = g.at(5.0 + 3 * torch.sin(P["phase"]), -131.0)
    c.paint(c.capsule(xs, ys, x2, y2, 5.5 * s, 3.6 * s), "#2f7f30", outline=1.5)
    c.paint(c.ellipse(xs, ys, 15.0 * s, 6.0 * s), "#4fb046", outline=1.4)
    eye_mask(c, P, g, -80.0, 24.0)
    face(c, P, g, -80.0, 10.0, 6.6, 8.0, 3.9, -63.0, 8.0)
    hats(c, P, g, -122.0, 22.0, -104.0)
    each(c, P, g, ["space_suit"], lambda part, p, h: helmet(part, p, h, -86.0, 43.0))


SKINS = ["#f7d3b5", "#d9a273", "#a06a42", "#6f4528"]
HAIRS = ["#1f1a1d", "#d8b04a", "#8a4a22", "#b8432a"]
SHIRTS = ["#4f9bd6", "#5fae5a", "#e78ab0", "#9a6fd0"]


def child(c, P):
    """A child of more natural proportions than Temo; skin, hair and shirt change from clip to clip."""
    q = pose(P)
    P["lift"] = q["rise"]
    g = Rig(P, q)
    s, k, r = P["s"], P["clothes"], P["r"]
    pick = lambda names, u: table(names, (u * len(names)).long().clamp(0, len(names) - 1))
    skin, hair, shirt = pick(SKINS, r[:, 3]), pick(HAIRS, r[:, 4]), pick(SHIRTS, r[:, 5])
    top, legs, shoes = table(TOP["child"], k), table(LEGS, k), table(SHOES, k)
    casual, swim, suit = ((k == C[n]).float()[:, None] for n in ("casual", "swimwear", "space_suit"))
    top = top + (shirt - top) * casual
    top = top + (skin - top) * swim
    calf = legs + (skin - legs) * swim
    hand = skin + (constant(rgb("#d7dde9"), c.device)[None] - skin) * suit
    long = (r[:, 6] > 0.5).float()
    shadow(c, P)
    cape(c, P, g, -70.0, 10.0)
    limb(c, g, -6.0, -44.0, q["ll"], q["sl"], 21.0, 21.0, 4.2, calf, shoes, 4.4, True)
    limb(c, g, 6.0, -44.0, q["lr"], q["sr"], 21.0, 21.0, 4.2, calf, shoes, 4.4, True)
    x, y = g.at(0.0, -46.0)
    c.paint(c.box(x, y, 11.5 * s, 6.5 * s, 3.0), legs, outline=1.6)
    hx, hy = g.at(0.0, -90.0)
    c.paint(c.box(hx, hy + 4 * s, 17.0 * s, 18.0 * s, 9.0), hair, long, outline=1.6)
    limb(c, g, -11.0, -70.0, q["al"], q["fl"], 16.0, 15.0, 3.6, top, hand, 4.2)
    x, y = g.at(0.0, -60.0)
    c.paint(c.box(x, y, 12.0 * s, 16.0 * s, 6.0, q["lean"]), top, outline=1.7)
    torso_details(c, P, g, -60.0, 11.5)
    limb(c, g, 11.0, -70.0, q["ar"], q["fr"], 16.0, 15.0, 3.6, top, hand, 4.2)
    x, y = g.at(0.0, -92.0)
    head = c.ellipse(x, y, 16.0 * s, 18.5 * s, q["lean"])
    c.paint(head, skin, outline=1.8)
    crown = torch.maximum(c.ellipse(x, y - 2 * s, 18.0 * s, 20.0 * s, q["lean"]), c.y - (y - 7 * s)[:, None, None] - 0.25 * (c.x - x[:, None, None]))
    c.paint(crown, hair, outline=1.5)
    eye_mask(c, P, g, -90.0, 14.0)
    face(c, P, g, -90.0, 6.0, 2.0, 2.9, 1.0, -80.5, 4.6, simple=True)
    hats(c, P, g, -112.0, 18.0, -99.0)
    each(c, P, g, ["space_suit"], lambda part, p, h: helmet(part, p, h, -92.0, 27.0))


DRAW = {"temo": temo, "felfel": felfel, "child": child}
