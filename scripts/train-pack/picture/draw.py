"""Batched anti-aliased drawing with signed distances.

Coordinates are always those of a 256 x 256 picture, x to the right and y down, whatever the canvas size is.
Every parameter may be a float or a tensor of shape [B] (one value per picture of the batch).
"""

from __future__ import annotations

from functools import lru_cache

import torch


def col(v):
    """[B] -> [B,1,1] so that it broadcasts over the pixels; floats pass through."""
    return v[:, None, None] if torch.is_tensor(v) and v.dim() == 1 else v


def rgb(hexa: str) -> tuple[float, float, float]:
    return tuple(int(hexa[i : i + 2], 16) / 255 for i in (1, 3, 5))


@lru_cache(maxsize=4096)
def constant(values, device):
    """A small tensor made once: a copy to the GPU for each use would stall the queue."""
    return torch.tensor(values, device=device, dtype=torch.float32)


def cell_hash(cell, seed):
    """A number in [0,1) for each cell index, fixed per clip."""
    v = torch.sin(cell * 12.9898 + col(seed) * 78.233) * 43758.5453
    return v - torch.floor(v)


class Canvas:
    def __init__(self, count: int, size: int, device, pixels=None, x=None, y=None):
        self.size, self.device = size, device
        self.rgb = torch.zeros(count, 3, size, size, device=device) if pixels is None else pixels
        c = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) * (256 / size)
        self.x = c[None, None, :] if x is None else x  # [1 or B,1,W]
        self.y = c[None, :, None] if y is None else y
        self.pixel = 256 / size

    @property
    def count(self) -> int:
        return self.rgb.shape[0]

    def color(self, c):
        """A hex string, a triple, or a tensor [B,3] -> something that broadcasts against [B,3,H,W]."""
        if isinstance(c, str):
            c = rgb(c)
        if not torch.is_tensor(c):
            c = constant(tuple(c), self.device)
        return c.reshape(1, 3, 1, 1) if c.dim() == 1 else c[:, :, None, None]

    # distances ---------------------------------------------------------------------------------
    def _turn(self, x0, y0, angle, x, y):
        dx, dy = (self.x if x is None else x) - col(x0), (self.y if y is None else y) - col(y0)
        if isinstance(angle, float) and angle == 0.0:
            return dx, dy
        if not torch.is_tensor(angle):
            angle = constant((angle,), self.device)
        c, s = col(torch.cos(angle)), col(torch.sin(angle))
        return dx * c + dy * s, dy * c - dx * s

    def ellipse(self, x0, y0, a, b, angle=0.0, x=None, y=None):
        dx, dy = self._turn(x0, y0, angle, x, y)
        a, b = col(a), col(b)
        k0 = torch.sqrt((dx / a) ** 2 + (dy / b) ** 2)
        k1 = torch.sqrt((dx / (a * a)) ** 2 + (dy / (b * b)) ** 2).clamp_min(1e-4)
        return k0 * (k0 - 1) / k1

    def circle(self, x0, y0, r, x=None, y=None):
        dx, dy = self._turn(x0, y0, 0.0, x, y)
        return torch.sqrt(dx * dx + dy * dy) - col(r)

    def capsule(self, x0, y0, x1, y1, r0, r1=None, x=None):
        """A line with round ends; r0 at the first end, r1 at the second (linear in between)."""
        px, py = (self.x if x is None else x) - col(x0), self.y - col(y0)
        bx, by = col(x1 - x0), col(y1 - y0)
        h = ((px * bx + py * by) / (bx * bx + by * by + 1e-3)).clamp(0, 1)
        d = torch.sqrt((px - h * bx) ** 2 + (py - h * by) ** 2)
        return d - (col(r0) if r1 is None else col(r0) + h * (col(r1) - col(r0)))

    def box(self, x0, y0, w, h, r=0.0, angle=0.0, x=None, y=None):
        """Half sizes w and h, corner radius r."""
        dx, dy = self._turn(x0, y0, angle, x, y)
        qx, qy = dx.abs() - col(w) + r, dy.abs() - col(h) + r
        return torch.sqrt(qx.clamp_min(0) ** 2 + qy.clamp_min(0) ** 2) + torch.maximum(qx, qy).clamp_max(0) - r

    def triangle(self, x0, y0, half, height, x=None):
        """Isosceles, apex up at (x0, y0)."""
        dx, dy = (self.x if x is None else x) - col(x0), self.y - col(y0)
        half, height = col(half), col(height)
        n = (half * half + height * height) ** 0.5 if not torch.is_tensor(half + height) else torch.sqrt(half * half + height * height)
        return torch.maximum((dx.abs() * height - dy * half) / n, dy - height)

    def below(self, y0):
        return col(y0) - self.y

    def tile(self, offset, period):
        """Repeats the plane along x: the local x in [-period/2, period/2) and the index of the cell."""
        u = (self.x - col(offset)) / period
        cell = torch.floor(u)
        return (u - cell - 0.5) * period, cell

    # painting ----------------------------------------------------------------------------------
    def mask(self, sdf):
        return (0.5 - sdf / self.pixel).clamp(0, 1)

    def fill(self, mask, color, alpha=None):
        if alpha is not None:
            mask = mask * col(alpha)
        mask = mask.expand(self.count, *self.rgb.shape[2:])
        self.rgb.lerp_(self.color(color).expand_as(self.rgb), mask[:, None].expand_as(self.rgb))

    def paint(self, sdf, color, alpha=None, outline=0.0, line="#2b2030"):
        if outline:
            self.fill(self.mask(sdf), line, alpha)
            sdf = sdf + outline
        self.fill(self.mask(sdf), color, alpha)

    def glow(self, x0, y0, r, color, alpha=0.5):
        d = self.circle(x0, y0, 0.0)
        self.fill(torch.exp(-((d / r) ** 2)) * alpha, color)

    def gradient(self, top, bottom, y0=0.0, y1=256.0):
        """Fills the whole canvas from one colour to the other, top to bottom."""
        k = ((self.y - col(y0)) / (y1 - y0)).clamp(0, 1)[:, None]
        top, bottom = self.color(top), self.color(bottom)
        self.rgb.copy_((top + (bottom - top) * k).expand_as(self.rgb))

    def tint(self, factor, alpha=None):
        """Multiplies the picture by a colour, where alpha [B] is 1."""
        f = self.color(factor)
        if alpha is not None:
            f = 1 + (f - 1) * alpha.reshape(-1, 1, 1, 1)
        self.rgb.mul_(f)

    def subset(self, index):
        """A canvas with the pictures of `index` only; give it back with `restore`."""
        x = self.x[index] if self.x.shape[0] > 1 else self.x
        return Canvas(len(index), self.size, self.device, self.rgb[index], x, self.y)

    def restore(self, index, part):
        self.rgb[index] = part.rgb

    def window(self, index, centre, width=152):
        """A canvas of a strip `width` wide about each picture's `centre` [len(index)]; give it back with `close`."""
        w = int(width / self.pixel)
        first = ((centre / self.pixel).round().long() - w // 2).clamp(0, self.size - w)
        columns = first[:, None] + torch.arange(w, device=self.device)[None]
        pixels = self.rgb[index[:, None], :, :, columns].permute(0, 2, 3, 1).contiguous()
        part = Canvas(len(index), self.size, self.device, pixels, ((columns + 0.5) * self.pixel)[:, None, :], self.y)
        part.columns = columns
        return part

    def close(self, index, part):
        self.rgb[index[:, None], :, :, part.columns] = part.rgb.permute(0, 3, 1, 2)
