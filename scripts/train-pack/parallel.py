"""Data-parallel training over the GPUs of one machine: each process draws its own batches, and all take the same step.

Started by `python -m torch.distributed.run --standalone --nproc-per-node N SCRIPT …`; without it a process is alone and everything here does nothing.
"""

import datetime
import os

import torch
import torch.distributed as dist

RANK, WORLD = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
LEADS = RANK == 0  # the one that logs and saves


def join():
    """Before the first tensor on a GPU."""
    if WORLD > 1 and not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=datetime.timedelta(seconds=150))


def leave():
    if dist.is_initialized():
        dist.destroy_process_group()


def first_says(value: float) -> float:
    """The leading process's value, in every process: what a clock says must not differ."""
    if WORLD == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device="cuda" if torch.cuda.is_available() else "cpu")
    dist.broadcast(told, 0)
    return told.item()


@torch.no_grad()
def averaged(grads, clip):
    """Mean of the gradients over all processes, clipped to the norm `clip`: (views in the given shapes, norm before clipping).
    A step with an infinite or NaN gradient is worth nothing: it becomes zeros (without waiting for the GPU)."""
    flat = torch.cat([g.reshape(-1).float() for g in grads])
    if WORLD > 1:
        dist.all_reduce(flat)
        flat /= WORLD
    norm = flat.norm()
    scale = torch.where(torch.isfinite(norm), (clip / (norm + 1e-6)).clamp(max=1.0), torch.zeros_like(norm))
    flat = flat.mul_(scale).nan_to_num_(0.0, 0.0, 0.0)
    return [part.view_as(g) for part, g in zip(flat.split([g.numel() for g in grads]), grads)], norm
