"""DDIM sampling in torch with the pack's own scheduler, many clips at once."""

from __future__ import annotations

import torch

import config
import models

SCALES = {(): (0.0, 0.0), ("child",): (0.0, 0.0), ("temo",): (1.0, 0.0), ("felfel",): (0.0, 1.0), ("felfel", "temo"): (0.5, 0.5)}


def scales_for(characters):
    return SCALES[tuple(sorted(characters))]


@torch.no_grad()
def sample(unet, owner, text, tok, prompts, scales, seeds, frames=16, steps=20, guidance=4.0, negative="", device="cpu", dtype=torch.float32):
    """-> latents [N,F,C,h,w]; `scales` holds one pair of adapter weights per prompt."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**config.SCHEDULER)
    scheduler.set_timesteps(steps)
    n = len(prompts)
    hidden, pooled = models.encode_text(*text, tok([negative] * n + list(prompts)).to(device))
    hidden = hidden.to(dtype).repeat_interleave(frames, 0)
    added = {"text_embeds": pooled.to(dtype), "time_ids": torch.tensor([config.TIME_IDS] * (2 * n), device=device, dtype=dtype)}
    shape = (config.LATENT_CHANNELS, frames, config.LATENT, config.LATENT)
    x = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]).to(device)
    s = torch.tensor(list(scales), device=device, dtype=torch.float32)
    before = owner["scales"]
    owner["scales"] = torch.cat([s, s])
    for t in scheduler.timesteps:
        v = unet(torch.cat([x, x]).to(dtype), t.to(device).float(), hidden, added_cond_kwargs=added).sample.float()
        u, c = v.chunk(2)
        x = scheduler.step((u + guidance * (c - u)).cpu(), t, x.cpu()).prev_sample.to(device)
    owner["scales"] = before
    return x.permute(0, 2, 1, 3, 4)


@torch.no_grad()
def decode(vae, latents, batch=64):
    """[N,F,C,h,w] -> [N,F,3,H,W] in 0..1"""
    z = latents.flatten(0, 1)
    p = next(vae.parameters())
    y = torch.cat([vae.decode(z[i : i + batch].to(p.dtype)).sample.float() for i in range(0, len(z), batch)])
    return (y * 0.5 + 0.5).clamp(0, 1).unflatten(0, latents.shape[:2])
