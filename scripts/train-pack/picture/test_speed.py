"""Compiled, eager and resumed steps agree: `PICTURE_TINY=1 python test_speed.py` (CPU, seconds; pass inductor to use the real backend)."""

import sys
import time

import torch

import models
import stage_unet
from speed import Step

torch.set_num_threads(1)
torch.manual_seed(0)
unet, owner, _, _ = models.build_unet()
for name, p in unet.named_parameters():
    if name.endswith("lora_B"):
        torch.nn.init.normal_(p, std=0.05)
loss_of = stage_unet.loss_function(unet, owner)
params = list(unet.parameters())
n, frames, side = 2, 8, 4
inputs = {
    "x": torch.randn(n, 8, frames, side, side), "target": torch.randn(n, 8, frames, side, side), "weight": torch.rand(n, 1, frames, side, side) + 0.5,
    "step": torch.tensor([10.0, 900.0]), "hidden": torch.randn(n, 48, 192), "pooled": torch.randn(n, 96), "time_ids": torch.tensor([[256.0, 256, 0, 0, 256, 256]]).expand(n, -1),
    "scales": torch.tensor([[1.0, 0.0], [0.5, 0.5]]),
}
loss, grads = Step(loss_of, params, "eager")(inputs)
start = time.time()
fast = Step(loss_of, params, "compile", backend=sys.argv[1] if len(sys.argv) > 1 else "aot_eager_decomp_partition")
loss2, grads2 = fast(inputs)
print(f"compiled in {time.time() - start:.1f} s; loss {loss.item():.6f} and {loss2.item():.6f}")
assert torch.allclose(loss, loss2, rtol=1e-4)
assert all((a is None) == (b is None) for a, b in zip(grads, grads2))
worst = max(((a - b).norm() / (a.norm() + 1e-4)).item() for a, b in zip(grads, grads2) if a is not None)
inputs["scales"] = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
again, other = fast(inputs)[0], Step(loss_of, params, "eager")(inputs)[0]
print(f"gradients differ by {worst:.1e} at most; with other adapter weights {again.item():.6f} and {other.item():.6f}; graphs {torch._dynamo.utils.counters['stats']} breaks {dict(torch._dynamo.utils.counters['graph_break'])}")
assert worst < 1e-2 and torch.allclose(again, other, rtol=1e-4)
