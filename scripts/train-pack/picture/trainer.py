"""What every stage shares: bf16 weights with fp32 masters, EMA, learning rate by wall clock, resuming."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import torch

import config
import state

sys.path.insert(0, str(Path(__file__).parent.parent))
import parallel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def setup(seed_offset=0):
    parallel.join()
    torch.manual_seed(config.SEED + seed_offset + 1000 * parallel.RANK)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if DEVICE == "cpu":
        torch.set_num_threads(2)


class Master:
    """Trains a bf16 copy of the model; AdamW and the EMA act on fp32 masters of its parameters."""

    def __init__(self, model, lr, ema=0.999, weight_decay=0.01, dtype=torch.bfloat16, betas=(0.9, 0.99), rate_of=lambda name: 1.0):
        self.names = [n for n, p in model.named_parameters()]
        self.master = [p.detach().to(DEVICE, torch.float32).clone() for p in model.parameters()]
        self.ema = [p.clone() for p in self.master]
        self.buffers = {n: b.detach().clone() for n, b in model.state_dict().items() if n not in set(self.names)}
        self.model = model.to(DEVICE, dtype).train()
        self.live = list(self.model.parameters())
        for p in self.master:
            p.requires_grad_(True)
        rates = {rate_of(n) for n in self.names}
        groups = [{"params": [p for n, p in zip(self.names, self.master) if rate_of(n) == r], "rate": r} for r in sorted(rates)]
        self.optimizer = torch.optim.AdamW(groups, lr=lr, betas=betas, weight_decay=weight_decay, fused=DEVICE == "cuda")
        self.lr, self.decay, self.step = lr, ema, 0

    @torch.no_grad()
    def update(self, lr_scale, grads, clip=1.0):
        """One AdamW step with the gradients of `live` (None: none), which are only read."""
        pairs = [(m, g) for m, g in zip(self.master, grads) if g is not None]
        clipped, norm = parallel.averaged([g for _, g in pairs], clip)
        for (m, _), g in zip(pairs, clipped):
            m.grad = g
        warm = min(1.0, (self.step + 1) / 100)
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * lr_scale * warm * group["rate"]
        self.optimizer.step()
        torch._foreach_copy_(self.live, self.master)
        self.step += 1
        d = min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.ema, [m.detach() for m in self.master], 1 - d)
        return norm

    def ema_state(self):
        out = {n: e.detach().cpu().clone() for n, e in zip(self.names, self.ema)}
        return {**out, **{n: b.cpu() for n, b in self.buffers.items()}}

    def state(self):
        return {"ema": self.ema_state(), "master": [m.detach().cpu() for m in self.master], "opt": self.optimizer.state_dict(), "step": self.step}

    @torch.no_grad()
    def restore(self, saved):
        torch._foreach_copy_(self.master, [m.to(DEVICE) for m in saved["master"]])
        torch._foreach_copy_(self.ema, [saved["ema"][n].to(DEVICE) for n in self.names])
        torch._foreach_copy_(self.live, self.master)
        self.optimizer.load_state_dict(saved["opt"])
        self.step = saved["step"]


def cosine(fraction, floor):
    """Learning rate over the stage's time, as a share of its peak."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * fraction))


class Clock:
    """A stage's own time: `seconds` of training in all, what an earlier process spent counted in; never past `deadline`."""

    def __init__(self, seconds, spent=0.0, deadline=None):
        self.start = time.time() - spent
        self.end = self.start + seconds
        if deadline:
            self.end = min(self.end, deadline)

    @property
    def spent(self):
        return time.time() - self.start

    @property
    def done(self):
        return time.time() >= self.end

    @property
    def fraction(self):
        return min(1.0, (time.time() - self.start) / max(1.0, self.end - self.start))

    def cosine(self, floor=0.03):
        return cosine(self.fraction, floor)


class Every:
    def __init__(self, seconds):
        self.seconds, self.last = seconds, time.time()

    def __call__(self):
        if time.time() - self.last >= self.seconds:
            self.last = time.time()
            return True
        return False


def deadline():
    """The end of the whole run: fixed when the first process starts."""
    f = config.TRAIN_DIR / "started"
    if not f.exists():
        config.TRAIN_DIR.mkdir(parents=True, exist_ok=True)
        f.write_text(str(time.time()))
    return float(f.read_text()) + config.MINUTES * 60


def memory():
    return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if DEVICE == "cuda" else "cpu"


__all__ = ["DEVICE", "Clock", "Every", "Master", "cosine", "deadline", "memory", "parallel", "setup", "state"]
