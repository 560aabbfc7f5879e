"""Deterministic tensors from a name and a seed, the same in Python and TypeScript
(gpu-pool/src/graphs/testing/seeded.ts), so that fixtures hold no weights."""

import base64
import json
from pathlib import Path

import numpy as np
import torch

FIXTURES = Path(__file__).resolve().parents[3] / "gpu-pool" / "test-fixtures" / "picture"


def fnv1a(text: str) -> int:
    h = 0x811C9DC5
    for byte in text.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def uniform(name: str, seed: int, count: int) -> np.ndarray:
    """`count` numbers in [-1, 1): murmur3's finaliser over a counter."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(fnv1a(f"{name}#{seed}"))).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 2**23 - 1


def weight(name: str, seed: int, shape: list[int]) -> torch.Tensor:
    """Norm scales around 1, biases around 0, matrices with variance 1 / fan-in."""
    u = uniform(name, seed, int(np.prod(shape)))
    if len(shape) > 1:
        u = u * np.sqrt(3 / np.prod(shape[1:]))
    elif name.endswith(".weight"):
        u = u * 0.2 + 1
    else:
        u = u * 0.2
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def normal_like(name: str, seed: int, shape: list[int]) -> torch.Tensor:
    """An input of unit variance (uniform)."""
    u = uniform(name, seed, int(np.prod(shape))) * np.sqrt(3)
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def fill(model: torch.nn.Module, seed: int, half: bool = False) -> dict[str, list[int]]:
    """Overwrites all weights of a model; returns names and shapes of what a checkpoint would hold."""
    state = {k: v for k, v in model.state_dict().items() if not k.endswith(("pos_embed.pe", "position_ids"))}
    shapes = {k: list(v.shape) for k, v in state.items()}
    for name, shape in shapes.items():
        value = weight(name, seed, shape)
        state[name] = value.half().float() if half else value
    model.load_state_dict(state, strict=False)
    return shapes


def packed(tensor: torch.Tensor) -> dict:
    data = tensor.detach().contiguous().numpy().astype("<f4").tobytes()
    return {"shape": list(tensor.shape), "float32": base64.b64encode(data).decode()}


def save(name: str, content: dict) -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    path = FIXTURES / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")
