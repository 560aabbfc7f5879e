"""Weights from a formula of name and index, so that fixtures need not carry them.
The same formula is in gpu-pool/test-fixtures/voice/formula-weights.ts."""

import numpy as np
import torch


def uniform(name: str, count: int) -> np.ndarray:
    """float32 in [0, 1) with 24 random bits: murmur3's finaliser over the index, seeded by FNV-1a of the name."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B1 + seed) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    x = (x * 0x85EBCA6B) & 0xFFFFFFFF
    x ^= x >> np.uint64(13)
    x = (x * 0xC2B2AE35) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    return ((x >> np.uint64(8)).astype(np.float32)) * np.float32(2**-24)


def weight(name: str, shape: tuple[int, ...], gain: float, dtype: torch.dtype) -> torch.Tensor:
    """Norms and Snake alphas lie around 1, biases within 0.1, the rest has a variance of gain² / fan-in."""
    u = uniform(name, int(np.prod(shape))) - np.float32(0.5)
    if "norm" in name or name.endswith("alpha"):
        values = np.float32(1) + u * np.float32(0.5)
    elif name.endswith("bias"):
        values = u * np.float32(0.2)
    else:
        fan_in = int(np.prod(shape[1:]))
        values = u * np.float32(2 * gain * np.sqrt(3 / fan_in))
    return torch.from_numpy(values.astype(np.float32).reshape(shape)).to(dtype).float()


def fill(model: torch.nn.Module, gain: float, dtype: torch.dtype) -> None:
    state = model.state_dict()
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(weight(name, tuple(tensor.shape), gain, dtype))


def gumbel(name: str, shape: tuple[int, ...]) -> np.ndarray:
    u = uniform(name, int(np.prod(shape))).astype(np.float64)
    return (-np.log(-np.log(u + 1e-9) + 1e-9)).astype(np.float32).reshape(shape)
