"""The twelve places. Each function fills a whole canvas: far layers first, moved by the camera at a fraction of its way.

P holds one value per picture: cam (camera offset in pixels), night (0 or 1), t (seconds), r [B,8] (the clip's own random numbers).
"""

from __future__ import annotations

import math

import torch

from draw import cell_hash, col, constant, rgb


def mix(day, night, n):
    d, k = constant(rgb(day), n.device), constant(rgb(night), n.device)
    return d[None] + (k - d)[None] * n[:, None]


def stars(c, P, alpha, y1=150.0):
    """Twinkling points, one a cell of a fixed grid."""
    gx, gy = 16.0, 15.0
    u, v = (c.x + col(P["cam"] * 0.1)) / gx, c.y / gy
    i, j = torch.floor(u), torch.floor(v)
    h = cell_hash(i + j * 37.0, P["r"][:, 0])
    h2 = cell_hash(i * 3.1 + j * 11.0, P["r"][:, 1])
    dx, dy = (u - i - 0.2 - 0.6 * h2) * gx, (v - j - 0.2 - 0.6 * h) * gy
    size = torch.where(h > 0.55, 0.7 + 1.1 * h2, -3.0)
    m = c.mask(torch.sqrt(dx * dx + dy * dy) - size) * (c.y < y1)
    c.fill(m * (0.65 + 0.35 * torch.sin(col(P["t"]) * 2 + h * 40)), "#fff8e0", alpha)


def sky_body(c, P, x=200.0, y=42.0):
    """Sun by day, moon by night."""
    n = P["night"]
    c.glow(x, y, 40.0, mix("#fff3b0", "#b8c8ff", n), 0.55)
    c.paint(c.circle(x, y, 17.0), mix("#ffdf4d", "#f4f1dc", n))
    c.fill(c.mask(c.circle(x - 5, y - 3, 3.5)), "#d9d5bd", n * 0.8)
    c.fill(c.mask(c.circle(x + 5, y + 5, 2.5)), "#d9d5bd", n * 0.8)


def clouds(c, P, alpha, y=48.0, speed=3.0, color="#ffffff"):
    u, cell = c.tile(P["cam"] * 0.15 + P["t"] * speed + P["r"][:, 2] * 90, 110.0)
    h = cell_hash(cell, P["r"][:, 3])
    yy = y + 26 * (h - 0.5)
    d = torch.minimum(torch.minimum(c.ellipse(-14, yy + 3, 15.0, 8.0, x=u), c.ellipse(12, yy + 3, 17.0, 8.0, x=u)), c.circle(0.0, yy - 3, 11.0, x=u))
    c.fill(c.mask(d), color, alpha)


def hills(c, P, base, height, depth, color, waves=(0.021, 0.047), seed=4):
    x = c.x - col(P["cam"]) * depth + col(P["r"][:, seed]) * 200
    top = base - height * (0.5 + 0.35 * torch.sin(x * waves[0]) + 0.15 * torch.sin(x * waves[1] + 1.3))
    c.fill(c.mask(top - c.y), color)


def ground(c, P, y, top, bottom, n, speckle=None):
    d, k = mix(*top, n), mix(*bottom, n)
    t = ((c.y - y) / (256 - y)).clamp(0, 1)[:, None]
    color = d[:, :, None, None] + (k - d)[:, :, None, None] * t
    m = c.mask(y - c.y)[:, None]
    c.rgb.add_((color - c.rgb) * m)
    if speckle:
        u, cell = c.tile(P["cam"], 34.0)
        h = cell_hash(cell, P["r"][:, 5])
        c.fill(c.mask(c.ellipse(0.0, y + 12 + (236 - y) * h, 7.0, 2.4, x=u)), speckle, 0.6)


def moon_base(c, P):
    n = P["night"]
    c.gradient("#05060f", mix("#2a3358", "#0c1024", n), 0, 170)
    stars(c, P, 1.0)
    c.glow(52.0, 46.0, 44.0, "#4fa8ff", 0.4)
    c.paint(c.circle(52.0, 46.0, 24.0), "#3b82d6")
    c.fill(c.mask(torch.maximum(c.ellipse(46.0, 42.0, 10.0, 7.0, 0.5), c.circle(52.0, 46.0, 24.0))), "#5dbb63")
    c.fill(c.mask(torch.maximum(c.ellipse(62.0, 56.0, 8.0, 5.0, -0.4), c.circle(52.0, 46.0, 24.0))), "#5dbb63")
    hills(c, P, 182.0, 34.0, 0.3, mix("#77798c", "#3a3d52", n))
    for k, (x0, r0) in enumerate([(150.0, 34.0), (216.0, 24.0)]):
        x = x0 + P["cam"] * 0.5 + P["r"][:, 6] * 20 - 10
        d = torch.maximum(c.circle(x, 186.0, r0), c.y - 186)
        c.paint(d, mix("#dfe6f2", "#8d97b3", n), outline=1.8)
        c.fill(c.mask(torch.maximum(c.circle(x - r0 * 0.25, 178.0, r0 * 0.6), c.y - 184)), mix("#f7fbff", "#a9b3cd", n))
        for w in (-0.45, 0.0, 0.45):
            c.paint(c.box(x + r0 * w, 174.0, 4.0, 3.4, 1.5), mix("#54c6e8", "#ffe27a", n), outline=1.0)
    x = 104.0 + P["cam"] * 0.5
    c.paint(c.capsule(x, 186.0, x, 140.0, 1.6), "#9aa4bd", outline=0.6)
    c.paint(c.ellipse(x + 3, 138.0, 9.0, 4.5, -0.6), "#e7edf8", outline=1.2)
    c.paint(c.circle(x + 7, 133.0, 2.0), "#ff5a4f")
    ground(c, P, 184.0, ("#b9bac4", "#6b6e86"), ("#8a8b98", "#43465c"), n)
    u, cell = c.tile(P["cam"], 62.0)
    h = cell_hash(cell, P["r"][:, 5])
    y = 200 + 44 * h
    c.fill(c.mask(c.ellipse(0.0, y, 15.0, 4.6, x=u)), mix("#70717f", "#34374a", n))
    c.fill(c.mask(c.ellipse(0.0, y + 1.2, 13.0, 3.4, x=u)), mix("#9b9ca8", "#51546b", n))


def alien_planet(c, P):
    n = P["night"]
    c.gradient(mix("#8a3fb0", "#1a0b3a", n), mix("#ff9e7a", "#6a2a7d", n), 0, 180)
    stars(c, P, 0.25 + 0.75 * n, 120.0)
    c.paint(c.circle(196.0, 50.0, 26.0), mix("#ffd27d", "#d9a4ff", n))
    c.fill(c.mask(torch.maximum(c.ellipse(203.0, 56.0, 26.0, 26.0), c.circle(196.0, 50.0, 26.0))), mix("#f2a95c", "#a66bd6", n))
    ring = c.ellipse(196.0, 50.0, 42.0, 8.0, -0.35)
    c.fill(c.mask(ring.abs() - 1.8), "#fff0c9", 0.9)
    c.paint(c.circle(70.0, 36.0, 9.0), mix("#9be7d8", "#6ad1c0", n))
    hills(c, P, 186.0, 60.0, 0.25, mix("#b0487d", "#4a1f5c", n), (0.045, 0.11))
    hills(c, P, 190.0, 34.0, 0.5, mix("#7e3170", "#341648", n), (0.035, 0.09), 5)
    ground(c, P, 184.0, ("#e0705f", "#5c2a66"), ("#a83f5c", "#371a4a"), n)
    u, cell = c.tile(P["cam"] * 0.7 + 20, 74.0)
    h = cell_hash(cell, P["r"][:, 6])
    tall = 20 + 30 * h
    c.paint(c.capsule(0.0, 190.0, 4.0, 190 - tall, 4.0, 2.4, x=u), mix("#2fa59a", "#1c6f74", n), outline=1.2)
    c.paint(c.ellipse(4.0, 188 - tall, 14.0, 8.0, x=u), mix("#52e0c4", "#2fd6d6", n), outline=1.2)
    c.fill(c.mask(c.circle(0.0, 187 - tall, 2.2, x=u)), "#fff27a")
    c.fill(c.mask(c.circle(8.0, 189 - tall, 1.8, x=u)), "#fff27a")
    u, cell = c.tile(P["cam"] + 9, 48.0)
    h = cell_hash(cell, P["r"][:, 7])
    c.fill(c.mask(c.ellipse(0.0, 206 + 40 * h, 10.0, 3.4, x=u)), mix("#c4506a", "#54265e", n))


def _pine(c, u, y, s, color, trunk):
    c.paint(c.box(0.0, y - 5, 3.4, 8.0, 1.0, x=u), trunk, outline=1.0)
    for k in range(3):
        c.paint(c.triangle(0.0, y - (26 + 16 * k) * s, (22 - 4.5 * k) * s, 24 * s, x=u), color, outline=1.2)


def forest(c, P):
    n = P["night"]
    c.gradient(mix("#9fe0ff", "#0e1838", n), mix("#e4f7d2", "#2b4a5a", n), 0, 180)
    stars(c, P, n, 90.0)
    sky_body(c, P, 206.0, 36.0)
    hills(c, P, 170.0, 40.0, 0.2, mix("#8cc98a", "#24484f", n))
    u, cell = c.tile(P["cam"] * 0.35 + P["r"][:, 4] * 40, 34.0)
    h = cell_hash(cell, P["r"][:, 5])
    _pine(c, u, 184.0, 1.0 + 0.35 * h, mix("#4f9e5c", "#1d4443", n), mix("#6d4a2f", "#2d2630", n))
    ground(c, P, 182.0, ("#7cc152", "#28534a"), ("#4d9440", "#17362f"), n)
    u, cell = c.tile(P["cam"] * 0.75 + P["r"][:, 6] * 60, 96.0)
    h = cell_hash(cell, P["r"][:, 7])
    bark, leaf = mix("#7a5132", "#33293a", n), mix("#2f8a45", "#14423a", n)
    c.paint(c.capsule(0.0, 196.0, 0.0, 110.0, 8.0, 5.5, x=u), bark, outline=1.6)
    y = 92 + 16 * h
    d = torch.minimum(torch.minimum(c.circle(-18.0, y + 8, 22.0, x=u), c.circle(18.0, y + 8, 22.0, x=u)), c.circle(0.0, y - 8, 25.0, x=u))
    c.paint(d, leaf, outline=1.8)
    c.fill(c.mask(c.circle(-8.0, y - 8, 13.0, x=u)), mix("#49ab58", "#1d5648", n))
    u, cell = c.tile(P["cam"] + 30, 58.0)
    h = cell_hash(cell, P["r"][:, 3])
    y = 208 + 34 * h
    c.paint(c.box(0.0, y, 2.0, 4.0, 1.0, x=u), "#f1e6d0", outline=0.8)
    c.paint(torch.maximum(c.ellipse(0.0, y - 3, 6.0, 5.0, x=u), c.y - y + 2), mix("#e04b3c", "#7d3346", n), outline=0.9)


def beach(c, P):
    n = P["night"]
    c.gradient(mix("#5cc0f5", "#0b1538", n), mix("#d6f2fb", "#3b4f86", n), 0, 130)
    stars(c, P, n, 110.0)
    sky_body(c, P, 62.0, 40.0)
    clouds(c, P, 0.95 - 0.65 * n)
    sea, deep = mix("#39b5e0", "#1c3e78", n), mix("#1f83c4", "#122a5a", n)
    c.fill(c.mask(124 - c.y), deep)
    c.fill(c.mask(146 - c.y), sea)
    u, cell = c.tile(P["t"] * 6 + P["cam"] * 0.3, 40.0)
    for y in (134.0, 152.0, 166.0):
        c.fill(c.mask(c.ellipse(y % 17, y, 11.0, 1.3, x=u)), "#ffffff", 0.65 - 0.35 * n)
    x = 190.0 + P["cam"] * 0.2 - P["t"] * 2
    c.paint(c.triangle(x, 98.0, 11.0, 24.0), mix("#ffffff", "#b7c0d8", n), outline=1.2)
    c.paint(torch.maximum(c.ellipse(x, 122.0, 17.0, 8.0), 122 - c.y), mix("#e8574a", "#7e3a52", n), outline=1.2)
    edge = 178 + 3 * torch.sin(c.x * 0.05 + col(P["t"]) * 1.5)
    c.fill(c.mask(edge - 4 - c.y), "#ffffff", 0.8 - 0.4 * n)
    s1, s2 = mix("#f7dfa0", "#6f6a7c", n), mix("#e3bd76", "#4c4a60", n)
    c.fill(c.mask(edge - c.y), s1)
    c.fill(c.mask(222 + 5 * torch.sin(c.x * 0.03 + 1) - c.y), s2)
    x = 228.0 + P["cam"] * 0.8 + P["r"][:, 6] * 16 - 8
    c.paint(c.capsule(x, 196.0, x - 14, 116.0, 5.0, 3.4), mix("#9a6a3c", "#44374a", n), outline=1.4)
    sway = 0.08 * torch.sin(P["t"] * 2)
    for a in (-2.7, -2.0, -1.2, -0.4, 0.3):
        ang = a + sway
        c.paint(c.capsule(x - 14, 116.0, x - 14 + 34 * torch.cos(ang), 122 + 22 * torch.sin(ang) + 6, 5.0, 1.2), mix("#3aa655", "#1b5148", n), outline=1.2)
    u, cell = c.tile(P["cam"] + 14, 92.0)
    y = 206 + 30 * cell_hash(cell, P["r"][:, 5])
    for a in (0.0, 1.2566, 2.5133, 3.7699, 5.0265):
        c.fill(c.mask(c.circle(3.2 * math.sin(a), y - 3.2 * math.cos(a), 2.6, x=u)), mix("#ff8a5c", "#7a4a5e", n))


def city(c, P):
    n = P["night"]
    c.gradient(mix("#8fd0f7", "#0d1230", n), mix("#fbe9d0", "#4a3f75", n), 0, 180)
    stars(c, P, n, 90.0)
    sky_body(c, P, 50.0, 34.0)
    clouds(c, P, 0.8 - 0.7 * n, 40.0)
    for depth, period, base, day, night in [(0.2, 40.0, 60.0, "#a9b8cf", "#262a52"), (0.45, 58.0, 44.0, "#7f93b5", "#1b1e40")]:
        u, cell = c.tile(P["cam"] * depth + P["r"][:, 4] * 50, period)
        h = cell_hash(cell, P["r"][:, 5])
        top = 190 - base - 72 * h
        d = torch.maximum(u.abs() - period * 0.44, top - c.y)
        c.paint(d, mix(day, night, n), outline=1.2)
        wx, wy = torch.remainder(u + 60, 9.0) - 4.5, torch.remainder(c.y, 13.0) - 6.5
        lit = cell_hash(torch.floor((u + 60) / 9) + cell * 7 + torch.floor(c.y / 13) * 3, P["r"][:, 6])
        win = torch.maximum(torch.maximum(wx.abs() - 2.3, wy.abs() - 3.6), d + 4)
        c.fill(c.mask(win), mix("#d6ecfa", "#39406e", n))
        c.fill(c.mask(win) * (lit > 0.45), "#ffe27a", n)
    ground(c, P, 186.0, ("#b9b3ad", "#4a4868"), ("#8f8a88", "#2f2e4a"), n)
    c.fill(c.mask((c.y - 226).abs() - 26), mix("#5b5d66", "#23243a", n))
    u, _ = c.tile(P["cam"], 46.0)
    c.fill(c.mask(c.box(0.0, 236.0, 12.0, 1.8, 0.5, x=u)), mix("#fff3c4", "#b9ad7c", n))
    u, _ = c.tile(P["cam"] * 0.9 + P["r"][:, 7] * 60, 120.0)
    c.paint(c.capsule(0.0, 198.0, 0.0, 128.0, 1.8, x=u), "#3d4256", outline=0.6)
    c.fill(torch.exp(-((u**2 + (c.y - 124) ** 2) / 480)), "#ffe9a0", 0.7 * n)
    c.paint(c.circle(0.0, 124.0, 5.5, x=u), mix("#f7f2dc", "#fff1a6", n), outline=1.2)


def classroom(c, P):
    n = P["night"]
    c.gradient(mix("#fbe8bf", "#8d7f8d", n), mix("#f5d99b", "#77697c", n), 0, 190)
    x = 128.0 + P["cam"] * 0.4
    c.paint(c.box(x, 86.0, 66.0, 38.0, 2.0), mix("#9a6434", "#5a4048", n), outline=1.8)
    c.fill(c.mask(c.box(x, 86.0, 61.0, 33.0, 1.0)), mix("#2f6b55", "#1e4644", n))
    k = P["r"][:, 4] * 10
    for i, (dx, w) in enumerate([(-34.0, 18.0), (-28.0, 24.0), (-36.0, 14.0)]):
        c.fill(c.mask(c.box(x + dx + k, 68.0 + 12 * i, w, 1.2, 0.8)), "#eef6ee", 0.85)
    c.fill(c.mask(c.circle(x + 36, 82.0, 12.0).abs() - 1.0), "#ffe88a", 0.9)
    c.fill(c.mask(c.triangle(x + 36, 74.0, 7.0, 12.0).abs() - 0.8), "#ffb3c1", 0.9)
    for x0 in (22.0, 234.0):
        xx = x0 + P["cam"] * 0.4
        c.paint(c.box(xx, 82.0, 21.0, 34.0, 1.5), mix("#fffaf0", "#b5a9ad", n), outline=1.6)
        c.fill(c.mask(c.box(xx, 82.0, 17.5, 30.5, 1.0)), mix("#9edcff", "#18224a", n))
        c.fill(c.mask(c.circle(xx + 6, 70.0, 6.0)), mix("#ffffff", "#f4f1dc", n))
        c.fill(c.mask(torch.minimum((c.x - col(xx)).abs() - 1.2, torch.maximum((c.y - 82).abs() - 1.2, (c.x - col(xx)).abs() - 18))) * c.mask(c.box(xx, 82.0, 18.0, 31.0)), mix("#fffaf0", "#b5a9ad", n))
    ground(c, P, 172.0, ("#d19a5f", "#5e4a58"), ("#b57b45", "#47384a"), n)
    u, _ = c.tile(P["cam"], 32.0)
    c.fill(c.mask(u.abs() - 0.7) * c.mask(174 - c.y), mix("#a8703d", "#3e3142", n), 0.8)
    u, _ = c.tile(P["cam"] * 0.8 + P["r"][:, 6] * 50, 104.0)
    c.paint(c.box(0.0, 168.0, 30.0, 4.0, 1.5, x=u), mix("#e8b06a", "#7a5c58", n), outline=1.5)
    c.paint(c.box(-22.0, 184.0, 2.6, 13.0, 1.0, x=u), mix("#8d8f9c", "#4b4a60", n), outline=1.0)
    c.paint(c.box(22.0, 184.0, 2.6, 13.0, 1.0, x=u), mix("#8d8f9c", "#4b4a60", n), outline=1.0)
    c.paint(c.box(-8.0, 160.0, 9.0, 3.4, 0.6, x=u), "#4f7fd6", outline=1.0)
    c.paint(c.circle(14.0, 159.0, 5.0, x=u), "#e2483d", outline=1.0)


def kitchen(c, P):
    n = P["night"]
    c.gradient(mix("#ffe9d6", "#8a7486", n), mix("#ffd9bd", "#796479", n), 0, 190)
    cam = P["cam"] * 0.6
    u, v = torch.remainder(c.x - col(cam), 16.0) - 8, torch.remainder(c.y, 16.0) - 8
    band = c.mask((c.y - 122).abs() - 22)
    c.fill(band, mix("#e6f4f1", "#7d8797", n))
    c.fill(c.mask(torch.minimum(7.4 - u.abs(), 7.4 - v.abs())) * band, mix("#bcd9d6", "#666f84", n))
    u2, _ = c.tile(cam + P["r"][:, 4] * 20, 62.0)
    c.paint(c.box(0.0, 62.0, 28.0, 26.0, 2.0, x=u2), mix("#e9705a", "#75404f", n), outline=1.6)
    c.fill(c.mask(c.box(0.0, 62.0, 23.0, 21.0, 2.0, x=u2)), mix("#f48b74", "#86505c", n))
    c.paint(c.circle(17.0, 76.0, 2.4, x=u2), "#ffe7b0", outline=0.8)
    x = 128.0 + cam
    c.paint(c.box(x, 84.0, 24.0, 25.0, 1.5), mix("#fffaf0", "#b5a9ad", n), outline=1.6)
    c.fill(c.mask(c.box(x, 84.0, 20.5, 21.5, 1.0)), mix("#9edcff", "#18224a", n))
    c.fill(c.mask(c.circle(x + 7, 74.0, 6.0)), mix("#fff0a8", "#f4f1dc", n))
    c.fill(c.mask((c.x - col(x)).abs() - 1.3) * c.mask(c.box(x, 84.0, 21.0, 22.0)), mix("#fffaf0", "#b5a9ad", n))
    c.paint(torch.maximum((c.y - 147).abs() - 4, -300 + 0 * c.x), mix("#f5efe4", "#9f95a3", n), outline=1.4)
    c.fill(c.mask((c.y - 169).abs() - 18), mix("#e2a05e", "#6b4d58", n))
    u3, _ = c.tile(cam, 40.0)
    c.fill(c.mask(u3.abs() - 0.9) * c.mask((c.y - 169).abs() - 18), mix("#b0733a", "#46323f", n))
    c.paint(c.circle(8.0, 160.0, 2.0, x=u3), "#fff0d0", outline=0.7)
    xs = 52.0 + cam + P["r"][:, 6] * 12
    c.paint(c.box(xs, 168.0, 26.0, 20.0, 2.0), mix("#d9dee6", "#7b8296", n), outline=1.6)
    c.paint(c.box(xs, 172.0, 18.0, 11.0, 2.0), mix("#3b3f4e", "#242637", n), outline=1.0)
    c.fill(c.mask(c.box(xs, 175.0, 13.0, 5.0, 2.0)), "#ff9a3c", 0.75)
    c.paint(c.box(xs + 2, 136.0, 13.0, 8.0, 2.5), mix("#c94f4f", "#7b3c52", n), outline=1.4)
    c.paint(c.box(xs + 2, 127.0, 14.5, 1.8, 1.0), mix("#a93c3c", "#652f45", n), outline=1.0)
    rise = torch.remainder(P["t"] * 14, 22.0)
    c.fill(c.mask(c.ellipse(xs + 2 + 3 * torch.sin(P["t"] * 3), 118 - rise, 5.0, 4.0)), "#ffffff", 0.5)
    ground(c, P, 186.0, ("#f0e2cf", "#6d6177"), ("#d9c4aa", "#54495f"), n)
    gx = torch.remainder(torch.floor((c.x - col(P["cam"])) / 26) + torch.floor((c.y - 186) / 18), 2.0)
    c.fill(c.mask(186 - c.y) * gx, mix("#d67f5c", "#5c4358", n), 0.55)


def snow(c, P):
    n = P["night"]
    c.gradient(mix("#a9d8f5", "#0c1740", n), mix("#eef8ff", "#4f6499", n), 0, 180)
    stars(c, P, n, 100.0)
    sky_body(c, P, 204.0, 38.0)
    u, cell = c.tile(P["cam"] * 0.2 + P["r"][:, 4] * 60, 108.0)
    h = cell_hash(cell, P["r"][:, 5])
    top = 64 + 26 * h
    c.paint(c.triangle(0.0, top, 76.0, 190 - top, x=u), mix("#8fa8c9", "#3c4d7c", n), outline=1.4)
    cap = torch.maximum(c.triangle(0.0, top, 76.0, 190 - top, x=u), c.y - (top + 26 + 5 * torch.sin(u * 0.5)))
    c.fill(c.mask(cap + 1.4), mix("#ffffff", "#b9c8ea", n))
    hills(c, P, 186.0, 30.0, 0.4, mix("#dcebf8", "#7088ba", n))
    u, cell = c.tile(P["cam"] * 0.6 + P["r"][:, 6] * 50, 72.0)
    s = 0.75 + 0.4 * cell_hash(cell, P["r"][:, 7])
    _pine(c, u, 194.0, s, mix("#5f9c8c", "#2b4f66", n), mix("#6d4a2f", "#2d2630", n))
    c.fill(c.mask(c.triangle(0.0, 194 - 58 * s + 0.0, 8.0 * s, 12 * s, x=u)), mix("#ffffff", "#b9c8ea", n))
    ground(c, P, 190.0, ("#ffffff", "#8ea4d2"), ("#d3e4f5", "#667db0"), n)
    gx, gy = 22.0, 24.0
    uu = (c.x - col(P["cam"]) * 0.5 + 4 * torch.sin(c.y * 0.05 + col(P["t"]))) / gx
    vv = (c.y - col(P["t"]) * 34) / gy
    i, j = torch.floor(uu), torch.floor(vv)
    hh = cell_hash(i * 1.7 + j * 9.1, P["r"][:, 3])
    dx, dy = (uu - i - 0.2 - 0.6 * hh) * gx, (vv - j - 0.5) * gy
    c.fill(c.mask(torch.sqrt(dx * dx + dy * dy) - 2.0) * (hh > 0.3), "#ffffff", 0.9)


def desert(c, P):
    n = P["night"]
    c.gradient(mix("#ffb65c", "#1a1440", n), mix("#fff0c2", "#7a4a78", n), 0, 180)
    stars(c, P, n, 110.0)
    sky_body(c, P, 120.0, 40.0)
    for x0, h in ((62.0, 62.0), (112.0, 40.0)):
        x = x0 + P["cam"] * 0.2 + P["r"][:, 4] * 24
        d = c.triangle(x, 178 - h, h * 0.95, h)
        c.paint(d, mix("#e8b25a", "#5b4262", n), outline=1.4)
        c.fill(c.mask(torch.maximum(d + 1.4, col(x) + (c.y - 178 + h) * 0.25 - c.x)), mix("#c48b3c", "#46324f", n))
    hills(c, P, 196.0, 40.0, 0.35, mix("#f0bf62", "#6a4a66", n), (0.02, 0.04))
    hills(c, P, 204.0, 26.0, 0.7, mix("#e5a94a", "#553b58", n), (0.027, 0.06), 5)
    ground(c, P, 198.0, ("#f3c46b", "#5d4560"), ("#dc9a3e", "#402f4a"), n)
    u, cell = c.tile(P["cam"] * 0.8 + P["r"][:, 6] * 70, 112.0)
    h = 34 + 18 * cell_hash(cell, P["r"][:, 7])
    green = mix("#4c9a55", "#21494c", n)
    d = torch.minimum(c.capsule(0.0, 202.0, 0.0, 202 - h, 6.5, x=u), torch.minimum(c.capsule(0.0, 186.0, 14.0, 182.0, 4.2, x=u), c.capsule(14.0, 182.0, 15.0, 168.0, 4.2, x=u)))
    d = torch.minimum(d, torch.minimum(c.capsule(0.0, 178.0, -13.0, 176.0, 3.8, x=u), c.capsule(-13.0, 176.0, -14.0, 164.0, 3.8, x=u)))
    c.paint(d, green, outline=1.6)
    c.fill(c.mask((u).abs() - 0.7) * c.mask(d + 2), mix("#357a41", "#17363b", n))


def underwater(c, P):
    n = P["night"]
    c.gradient(mix("#4fd0e8", "#0d3560", n), mix("#0b5fa5", "#051a3c", n), 0, 220)
    for x0, w in ((60.0, 22.0), (140.0, 30.0), (212.0, 18.0)):
        x = x0 + 8 * torch.sin(P["t"] * 0.8 + x0)
        d = (c.x - col(x) + (c.y) * 0.25).abs() - (w * 0.4 + c.y * 0.06)
        c.fill((0.5 - d / 18).clamp(0, 1) * (1 - c.y / 230).clamp(0, 1), "#d8fbff", 0.26 - 0.16 * n)
    hills(c, P, 200.0, 50.0, 0.25, mix("#1b7fb0", "#0b2c55", n), (0.03, 0.08))
    u, cell = c.tile(P["cam"] * 0.4 - P["t"] * 9 + P["r"][:, 4] * 60, 96.0)
    h = cell_hash(cell, P["r"][:, 5])
    y = 50 + 60 * h + 3 * torch.sin(col(P["t"]) * 3)
    c.paint(torch.minimum(c.ellipse(0.0, y, 10.0, 6.0, x=u), c.box(12.0, y, 3.6, 4.6, 1.0, x=u)), mix("#ffb52e", "#b9803c", n), outline=1.2)
    c.fill(c.mask(c.circle(-5.0, y - 1.5, 1.5, x=u)), "#1b1b2b")
    ground(c, P, 198.0, ("#f0dca0", "#5a6a86"), ("#c9ad70", "#3d4a68"), n)
    u, cell = c.tile(P["cam"] * 0.8 + P["r"][:, 6] * 30, 44.0)
    h = cell_hash(cell, P["r"][:, 7])
    bend = 7 * torch.sin(col(P["t"]) * 1.6 + c.y * 0.07 + h * 6)
    c.paint(torch.maximum((u - bend).abs() - 3.2, torch.maximum(204 - 46 - 34 * h - c.y, c.y - 206)), mix("#2fae66", "#175a58", n), outline=1.1)
    u, cell = c.tile(P["cam"] * 0.9 + P["r"][:, 3] * 50, 84.0)
    coral = mix("#ff6f91", "#8e4470", n)
    d = torch.minimum(c.capsule(0.0, 214.0, 0.0, 188.0, 4.4, 3.0, x=u), torch.minimum(c.capsule(0.0, 202.0, 11.0, 188.0, 3.4, 2.6, x=u), c.capsule(0.0, 206.0, -10.0, 194.0, 3.4, 2.6, x=u)))
    c.paint(d, coral, outline=1.3)
    v = torch.remainder(c.y + col(P["t"]) * 26, 64.0) - 32
    u, cell = c.tile(P["r"][:, 2] * 60, 58.0)
    c.fill(c.mask((torch.sqrt((u - 4 * torch.sin(c.y * 0.08)) ** 2 + v * v) - 3.6).abs() - 0.8), "#e8fdff", 0.75)


def space(c, P):
    n = P["night"]
    c.gradient(mix("#171440", "#04040f", n), mix("#3b2168", "#10103a", n), 0, 256)
    c.glow(70 + P["r"][:, 4] * 60, 170.0, 80.0, "#7a3fc0", 0.45)
    c.glow(190.0, 90 + P["r"][:, 5] * 40, 60.0, "#2a6fd0", 0.4)
    stars(c, P, 1.0, 260.0)
    x = 54 + P["r"][:, 6] * 20 + P["cam"] * 0.2
    c.paint(c.circle(x, 62.0, 27.0), "#e98a4c")
    inside = c.circle(x, 62.0, 27.0)
    for dy, w in ((-12.0, 3.5), (1.0, 4.5), (14.0, 3.0)):
        c.fill(c.mask(torch.maximum((c.y - 62 - dy - (c.x - col(x)) * 0.15).abs() - w, inside)), "#f7b879")
    c.fill(c.mask(torch.maximum(-c.circle(x - 8, 55.0, 30.0), inside)), "#3a1d2e", 0.45)
    c.fill(c.mask(c.ellipse(x, 62.0, 44.0, 8.0, -0.25).abs() - 1.7) * (1 - c.mask(torch.maximum(inside, c.y - 62 + (c.x - col(x)) * 0.25))), "#ffe2b0")
    x = 216 + P["cam"] * 0.3
    c.paint(c.circle(x, 208.0, 20.0), "#4fb3c9")
    c.fill(c.mask(torch.maximum(c.circle(x + 6, 214.0, 18.0), c.circle(x, 208.0, 20.0))), "#2c7d9e")
    x = torch.remainder(P["t"] * 16 + P["r"][:, 7] * 200 + P["cam"] * 0.4, 330.0) - 36
    y = 130 - x * 0.18
    c.paint(c.capsule(x - 9, y + 2, x - 20, y + 4, 4.0, 1.0), "#ffb13d")
    c.paint(c.ellipse(x, y, 13.0, 5.5, -0.18), "#eef1f7", outline=1.3)
    c.paint(c.circle(x + 4, y - 1, 2.5), "#54c6e8", outline=0.8)


def park(c, P):
    n = P["night"]
    c.gradient(mix("#74cdf8", "#0c1638", n), mix("#dff5ff", "#35557a", n), 0, 170)
    stars(c, P, n, 110.0)
    sky_body(c, P, 204.0, 40.0)
    clouds(c, P, 0.95 - 0.7 * n)
    hills(c, P, 180.0, 46.0, 0.2, mix("#a5dc7c", "#2c5a55", n))
    hills(c, P, 188.0, 24.0, 0.4, mix("#84c95f", "#234e48", n), (0.03, 0.05), 5)
    u, cell = c.tile(P["cam"] * 0.55 + P["r"][:, 6] * 80, 150.0)
    c.paint(c.capsule(0.0, 192.0, 0.0, 144.0, 5.0, 4.0, x=u), mix("#8a5a34", "#3a2e3c", n), outline=1.4)
    d = torch.minimum(torch.minimum(c.circle(-13.0, 132.0, 17.0, x=u), c.circle(14.0, 132.0, 17.0, x=u)), c.circle(0.0, 118.0, 18.0, x=u))
    c.paint(d, mix("#58b64c", "#1f5348", n), outline=1.6)
    for ax, ay in ((-12.0, 130.0), (8.0, 136.0), (2.0, 116.0)):
        c.fill(c.mask(c.circle(ax, ay, 3.0, x=u)), mix("#f25c54", "#84405a", n))
    ground(c, P, 184.0, ("#8bd45a", "#28594b"), ("#56a93f", "#173b33"), n)
    u, _ = c.tile(P["cam"] * 0.75, 22.0)
    fence = mix("#fff6e6", "#8a8da6", n)
    c.fill(c.mask(torch.maximum((c.y - 184).abs() - 1.8, 0 * c.x - 1)), fence)
    c.paint(c.box(0.0, 184.0, 3.0, 10.0, 1.4, x=u), fence, outline=0.9)
    u, cell = c.tile(P["cam"] + 11, 36.0)
    h = cell_hash(cell, P["r"][:, 7])
    y = 206 + 38 * h
    c.fill(c.mask(c.circle(0.0, y, 3.8, x=u)), mix("#ff7fb0", "#8a4d80", n))
    c.fill(c.mask(c.circle(0.0, y, 1.5, x=u)), "#ffe66b")


DRAW = {f.__name__: f for f in (moon_base, alien_planet, forest, beach, city, classroom, kitchen, snow, desert, underwater, space, park)}
GROUND = {"space": 196.0, "underwater": 200.0}
