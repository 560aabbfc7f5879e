"""Checkpoints (written whole, then renamed), the status line, and clocks that survive a crash."""

import json
import os
import time

import torch

from config import TRAIN_DIR


def path(name):
    return TRAIN_DIR / f"{name}.pt"


def save(name, value):
    TRAIN_DIR.mkdir(parents=True, exist_ok=True)
    tmp = TRAIN_DIR / f".{name}.{os.getpid()}.tmp"
    torch.save(value, tmp)
    os.replace(tmp, path(name))


def load(name, device="cpu"):
    try:
        return torch.load(path(name), map_location=device, weights_only=False) if path(name).exists() else None
    except Exception as error:  # a damaged file counts as none
        log(f"checkpoint {name} unreadable: {error}")
        return None


def log(text):
    if os.environ.get("RANK", "0") != "0":
        return
    TRAIN_DIR.mkdir(parents=True, exist_ok=True)
    line = f"{time.strftime('%H:%M:%S')} {text}"
    print(line, flush=True)
    with open(TRAIN_DIR / "log.txt", "a") as f:
        f.write(line + "\n")


def status(**values):
    """One JSON line that says where the run stands."""
    tmp = TRAIN_DIR / ".status.tmp"
    tmp.write_text(json.dumps({"time": time.strftime("%H:%M:%S"), **values}) + "\n")
    os.replace(tmp, TRAIN_DIR / "status.json")
