"""Stage 2: the VAE, on single rendered frames; where a character is drawn, an error counts three times."""

import os
import random

import torch
import torch.nn.functional as F

import config
import data
import models
import render
from speed import Ladder, Step
from trainer import DEVICE, Clock, Every, Master, memory, setup, state
from world import PLACE_NAMES


def frame_pool(count, seed, chunk=1024):
    """-> uint8 [N,3,S,S] and labels [N,4]: place, temo, felfel, child, and where the characters are, bool [N,32,32]. Every frame is of another scene."""
    rows = data.clip_rows(count, seed, variants=0)
    if DEVICE == "cpu":
        chunk = 16
    rng, frames, labels, masks = random.Random(seed), [], [], []
    for i in range(0, len(rows), chunk):
        part = rows[i : i + chunk]
        out, mask = render.render([r[1] for r in part], [r[3] for r in part], 1, DEVICE, start=rng.randrange(24), mask=True)
        masks.append(mask)
        frames.append((out * 255).round().to(torch.uint8))
        for _, scene, _, _ in part:
            kinds = [a.kind for a in scene.actors]
            labels.append([PLACE_NAMES.index(scene.place), *[int(k in kinds) for k in ("temo", "felfel", "child")]])
    return torch.cat(frames), torch.tensor(labels, device=DEVICE), torch.cat(masks)


def picture_loss(y, x, weight):
    """L1, and L1 of the gradients at three scales (edges and outlines count), weighted by [N,1,H,W] of mean 1."""
    d = y - x
    loss = (weight * (d.abs() + 0.5 * d.square())).mean()
    for k in range(3):
        if k:
            d, weight = F.avg_pool2d(d, 2), F.avg_pool2d(weight, 2)
        loss = loss + 0.5 * ((weight[..., 1:] * (d[..., 1:] - d[..., :-1]).abs()).mean() + (weight[..., 1:, :] * (d[..., 1:, :] - d[..., :-1, :]).abs()).mean())
    return loss


def loss_function(vae):
    def loss_of(x, noise, weight):
        d = vae.encode(x).latent_dist
        y = vae.decode(d.mean + d.std * noise).sample
        kl = 0.5 * (d.mean.float() ** 2 + d.var.float() - 1 - d.logvar.float()).mean()
        return picture_loss(y.float(), x.float(), weight) + 1e-4 * kl

    return loss_of


def frame_weight(x, mask):
    """[N,3,H,W], bool [N,32,32] -> [N,1,H,W] of mean 1: characters count three times, and frames of little contrast (nights) more."""
    w = F.interpolate(1 + 2 * mask[:, None].float(), size=x.shape[-2:], mode="nearest")
    w = w * (0.5 / x.float().std((1, 2, 3), keepdim=True)).clamp(0.7, 2.0)
    return w / w.mean()


@torch.no_grad()
def fold(vae, frames, batch=32):
    """Makes every latent channel mean 0 and std 1 by folding both into the 1x1 convolutions: exact."""
    means = torch.cat([vae.encode(frames[i : i + batch].float() / 127.5 - 1).latent_dist.mean for i in range(0, len(frames), batch)])
    m, s = means.mean((0, 2, 3)), means.std((0, 2, 3)).clamp_min(1e-3)
    c = len(m)
    q, p = vae.quant_conv, vae.post_quant_conv
    q.weight[:c] /= s[:, None, None, None]
    q.bias[:c] = (q.bias[:c] - m) / s
    q.bias[c:] -= 2 * s.log()
    p.bias += (p.weight[:, :, 0, 0] @ m)
    p.weight *= s[None, :, None, None]
    return vae


def run(seconds, deadline):
    setup(2)
    saved = state.load("vae_train")
    clock = Clock(seconds, saved["spent"] if saved else 0, deadline)
    frames, _, masks = frame_pool(24 if config.TINY else 24_000, config.SEED + 1)
    state.log(f"vae: {len(frames)} frames rendered at {clock.spent:.0f} s, {memory()}")
    vae, start = models.build_vae(), state.load("vae_start")
    if start:
        vae.load_state_dict(start["ema"])
    keep_latents = bool(start) and os.environ.get("PICTURE_VAE") == "decoder"
    if keep_latents:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    t = Master(vae, 8e-4 if start else 1.5e-3, ema=0.999)
    ladder = Ladder("vae", DEVICE)
    forward = Step(loss_function(vae), t.live, ladder.mode)
    if saved:
        t.restore(saved)
    test, frames, masks = frames[:16], frames[16:], masks[16:]
    batch = 2 if config.TINY else 64
    tell, keep, show = Every(10), Every(60), Every(110)
    while not clock.done or t.step < 2:
        i = torch.randint(0, len(frames), (batch,), device=DEVICE)
        x = frames[i].to(torch.bfloat16) / 127.5 - 1
        mask = masks[i]
        if torch.rand(()) < 0.5:
            x, mask = x.flip(-1), mask.flip(-1)
        noise = torch.randn(batch, config.LATENT_CHANNELS, config.LATENT, config.LATENT, device=DEVICE, dtype=x.dtype)
        loss, grads = forward({"x": x, "noise": noise, "weight": frame_weight(x, mask)})
        t.update(clock.cosine(), grads)
        if t.step % 20 == 2:
            loss.item()
            ladder.works()
        if tell():
            state.log(f"vae step {t.step} loss {loss.item():.4f} {clock.fraction:.0%} {memory()}")
        if keep():
            state.save("vae_train", {**t.state(), "spent": clock.spent})
        if show():
            finish(t, frames, test, final=False, keep_latents=keep_latents)
    state.save("vae_train", {**t.state(), "spent": clock.spent})
    psnr = finish(t, frames, test, final=True, keep_latents=keep_latents)
    state.log(f"vae done: {t.step} steps, PSNR on 16 unseen frames {psnr:.2f} dB")


@torch.no_grad()
def finish(t, frames, test, final, keep_latents):
    vae = models.build_vae()
    vae.load_state_dict(t.ema_state())
    vae = vae.to(DEVICE).float().eval()
    if not keep_latents:
        vae = fold(vae, frames[: 32 if config.TINY else 2048])
    x = test.float() / 127.5 - 1
    y = vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
    psnr = 10 * torch.log10(4 / (y - x).square().mean()).item()
    both = torch.stack([x[:12], y[:12]], 1).flatten(0, 1) * 0.5 + 0.5
    render.sheet(both, 6, config.TRAIN_DIR / "sheet-vae.png", scale=1)
    state.log(f"vae step {t.step} PSNR {psnr:.2f} dB")
    state.status(stage="vae", step=t.step, psnr=round(psnr, 2))
    if final:
        state.save("vae", {"ema": {k: v.cpu() for k, v in vae.state_dict().items()}, "scaling": 1.0, "step": t.step, "psnr": psnr})
    return psnr


def load_frozen(dtype=torch.float32):
    vae = models.build_vae()
    vae.load_state_dict((state.load("vae") or state.load("vae_start"))["ema"])
    return vae.to(DEVICE, dtype).eval().requires_grad_(False)
