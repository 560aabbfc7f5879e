"""Stage 5: UNet, motion modules and both adapters together, on the latents.

Every clip is of one kind and weighs the adapters its own way: no adapter (children, empty places), Temo's at 1, Felfel's at 1,
or both at 0.5. The shared weights learn to draw everything; which character appears is up to the adapters.
"""

import json
import os
import threading
import time

import torch
import torch.nn.functional as F

import config
import models
import prompts
import random
import render
import sample
import stage_latents
import stage_text
import stage_vae
import tokenizer
from speed import Ladder, Step
from trainer import DEVICE, Clock, Every, Master, cosine, memory, parallel, setup, state

BATCH = int(os.environ.get("PICTURE_BATCH", "64"))
SHOW = [
    (["temo", "felfel"], "temo and felfel exploring alien planet together, epic adventure"),
    (["temo"], "temo character space walking with ultra HD detail"),
    (["temo", "felfel"], "temo and felfel characters working together on moon base, both characters clearly visible, temo in space suit on left, felfel in adventure gear on right, epic lighting"),
    (["felfel"], "felfel dancing in the kitchen"),
    (["temo"], "temo waving at the beach in a raincoat"),
    (["felfel"], "felfel jumping in the snow at night"),
    (["temo", "felfel"], "felfel and temo talking in the classroom"),
    (["temo"], "temo on a pirate ship"),
    (["child"], "a girl walking in the forest"),
    (["child"], "temo in the city"),
    (["temo", "felfel"], "temo and felfel cheering under water"),
    ([], "a desert at night"),
]


def alphas():
    from diffusers import DDIMScheduler

    return DDIMScheduler(**config.SCHEDULER).alphas_cumprod.to(DEVICE)


class Pool:
    def __init__(self):
        saved = stage_latents.load()
        self.parts = {length: {k: v.to(DEVICE) for k, v in part.items()} for length, part in saved.items()}

    def batch(self, frames, n):
        """-> latents [n,frames,C,h,w], token ids [n,48], kind [n], where the characters are [n,frames,h,w]; windows of the long clips where they fit."""
        lengths = [k for k in self.parts if k >= frames]
        weights = torch.tensor([float(len(self.parts[k]["z"])) for k in lengths])
        share = torch.multinomial(weights, n, True).bincount(minlength=len(lengths)).tolist()
        zs, ids, kinds, masks = [], [], [], []
        for k, m in zip(lengths, share):
            if not m:
                continue
            p = self.parts[k]
            i = torch.randint(0, len(p["z"]), (m,), device=DEVICE)
            start = torch.randint(0, k - frames + 1, (m,), device=DEVICE)
            window = start[:, None] + torch.arange(frames, device=DEVICE)[None]
            zs.append(p["z"][i[:, None], window])
            ids.append(p["ids"][i, torch.randint(0, p["ids"].shape[1], (m,), device=DEVICE)].long())
            kinds.append(p["kind"][i])
            masks.append(p["mask"][i[:, None], window])
        return torch.cat(zs), torch.cat(ids), torch.cat(kinds), torch.cat(masks)


def adapter_scales(kind):
    """[N] -> [N,2], a little jittered so that weights near 1 and 0.5 work as well."""
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], device=DEVICE)
    return table[kind] * (1 + 0.1 * (torch.rand(len(kind), 2, device=DEVICE) * 2 - 1))


def loss_function(unet, owner):
    """Mean squared error of v, weighted by [N,1,F,h,w]; everything random is made outside, so that it can be a CUDA graph."""

    def loss_of(x, target, weight, step, hidden, pooled, time_ids, scales):
        owner["scales"] = scales
        added = {"text_embeds": pooled, "time_ids": time_ids}
        v = unet(x, step, hidden.repeat_interleave(x.shape[2], 0), added_cond_kwargs=added).sample
        return (weight * (v.float() - target).square()).mean()

    return loss_of


def warm(seconds, deadline):
    """Compiles the training step with made-up numbers while the VAE trains, so that the stage itself finds it in the compiler's cache; strikes `compile` out where that fails."""
    mark, failed = config.TRAIN_DIR / "unet.mode", json.dumps({"compile": {"starts": 1, "works": False}})
    if DEVICE != "cuda" or mark.exists() or os.environ.get("PICTURE_SPEED"):
        return
    mark.write_text(failed)
    guard = threading.Timer(240, lambda: os._exit(3))
    guard.daemon = True
    guard.start()
    setup(5)
    unet, owner, _, _ = models.build_unet()
    t = Master(unet, 1e-4)
    n, shape = BATCH, (BATCH, config.LATENT_CHANNELS, 16, config.LATENT, config.LATENT)
    make = lambda *size, dtype=torch.bfloat16: torch.randn(*size, device=DEVICE, dtype=dtype)
    inputs = {
        "x": make(*shape), "target": make(*shape, dtype=torch.float32), "weight": torch.ones(n, 1, *shape[2:], device=DEVICE), "step": torch.full((n,), 500.0, device=DEVICE),
        "hidden": make(n, config.MAX_TOKENS, 2 * config.TEXT_WIDTH), "pooled": make(n, config.TEXT_WIDTH), "scales": adapter_scales(torch.ones(n, dtype=torch.long, device=DEVICE)),
        "time_ids": torch.tensor([config.TIME_IDS], device=DEVICE, dtype=torch.bfloat16).expand(n, -1),
    }
    inputs = {k: inputs[k] for k in ("x", "target", "weight", "step", "hidden", "pooled", "time_ids", "scales")}
    start = time.time()
    forward = Step(loss_function(unet, owner), t.live, "compile")
    forward(inputs)
    torch.cuda.synchronize()
    ready = time.time()
    for _ in range(10):
        forward(inputs)
    torch.cuda.synchronize()
    mark.unlink()
    state.log(f"unet: compiled ahead in {ready - start:.0f} s; a step takes {(time.time() - ready) * 100:.0f} ms beside the VAE's training")


class Pace:
    """Steps a second since the last call."""

    def __init__(self, step):
        self.step, self.time = step, time.time()

    def __call__(self, step):
        steps, seconds = step - self.step, time.time() - self.time
        self.step, self.time = step, time.time()
        return steps / max(1e-3, seconds)


def run(seconds, deadline):
    setup(5)
    saved = state.load("unet")
    spent = saved["spent"] if saved else 0.0
    clock = Clock(spent + seconds, spent, deadline)  # `seconds` is what is left of the run
    unet, owner, _, _ = models.build_unet()
    start = state.load("unet_start")
    if start and not saved:
        unet.load_state_dict(start["ema"])
    # The adapters carry what tells Temo from Felfel from a child; they are few weights and take larger steps.
    rate_of = lambda name: 2.0 if name.endswith((".lora_A", ".lora_B")) else 1.0
    t = Master(unet, float(os.environ.get("PICTURE_LR", "8e-4")), ema=0.9985, rate_of=rate_of)
    if saved:
        t.restore(saved)
        torch.manual_seed(config.SEED + 50 + saved["step"] + 1000 * parallel.RANK)
    text, tok, pool, a = stage_text.load_frozen(), tokenizer.Tokenizer(config.TRAIN_DIR / "tokenizer"), Pool(), alphas()
    with torch.no_grad():
        null_hidden, null_pooled = models.encode_text(*text, tok(prompts.NEGATIVE).to(DEVICE))
    batch = 2 if config.TINY else BATCH
    params = sum(p.numel() for p in unet.parameters()) / 1e6
    state.log(f"unet: {params:.2f} M parameters with adapters, batch {parallel.WORLD} x {batch}, from step {t.step}, {clock.end - clock.start - clock.spent:.0f} s left")
    ladder = Ladder("unet", DEVICE)
    forward = Step(loss_function(unet, owner), t.live, ladder.mode)
    tell, keep, show, first = Every(10), Every(75), Every(300), True
    average, pace = None, Pace(t.step)
    rng = random.Random(config.SEED + t.step)
    time_ids = torch.tensor([config.TIME_IDS], device=DEVICE, dtype=torch.bfloat16)
    fraction = parallel.first_says(clock.fraction)
    while fraction < 1 or t.step < 2:
        frames = 16 if first else rng.choices([16, 32, 8, 24], [0.82, 0.1, 0.04, 0.04])[0]
        first = False
        n = max(1, batch * 16 // frames)
        z, ids, kind, mask = pool.batch(frames, n)
        x0 = z.float().permute(0, 2, 1, 3, 4)
        with torch.no_grad():
            hidden, pooled = models.encode_text(*text, ids)
            drop = torch.rand(n, device=DEVICE) < 0.1
            k = torch.randint(0, len(null_hidden), (n,), device=DEVICE)
            hidden = torch.where(drop[:, None, None], null_hidden[k], hidden).to(torch.bfloat16)
            pooled = torch.where(drop[:, None], null_pooled[k], pooled).to(torch.bfloat16)
        # Stratified timesteps, somewhat denser where the picture is being decided.
        u = ((torch.arange(n, device=DEVICE) + torch.rand(n, device=DEVICE)) / n)[torch.randperm(n, device=DEVICE)]
        step = (999.99 * u**0.85).long()
        alpha = a[step].view(-1, 1, 1, 1, 1)
        noise = torch.randn_like(x0)
        x = alpha.sqrt() * x0 + (1 - alpha).sqrt() * noise
        target = alpha.sqrt() * noise - (1 - alpha).sqrt() * x0
        # The parts that show a character count three times: small as they are, they are what is looked at.
        weight = 1 + 2 * mask[:, None].float()
        inputs = {
            "x": x.to(torch.bfloat16), "target": target, "weight": weight / weight.mean(), "step": step.float(), "hidden": hidden, "pooled": pooled,
            "time_ids": time_ids.expand(n, -1), "scales": adapter_scales(kind),
        }
        loss, grads = forward(inputs)
        t.update(cosine(fraction, 0.02), grads)
        if t.step % 20 == 2:
            loss.item()
            ladder.works()
        if t.step % 10 == 0 or config.TINY:
            fraction = parallel.first_says(clock.fraction)
        average = loss.detach().clone() if average is None else average.lerp(loss.detach(), 0.02)
        if not parallel.LEADS:
            continue
        if tell():
            state.log(f"unet step {t.step} loss {average.item():.4f} {clock.fraction:.0%} {pace(t.step):.1f} step/s {memory()}")
            state.status(stage="unet", step=t.step, loss=round(average.item(), 4), fraction=round(clock.fraction, 3))
        if keep():
            state.save("unet", {**t.state(), "spent": clock.spent})
        if show():
            contact_sheet(t, text, tok, config.TRAIN_DIR / "sheet-unet.png")
    if not parallel.LEADS:
        return
    state.save("unet", {**t.state(), "spent": clock.spent, "final": True})
    contact_sheet(t, text, tok, config.TRAIN_DIR / "sheet-unet.png")
    state.log(f"unet done: {t.step} steps, loss {average.item() if average is not None else float('nan'):.4f}")


def contact_sheet(t, text, tok, path):
    """Three frames each of twelve prompts, from the EMA weights."""
    try:
        unet, owner, _, _ = models.build_unet()
        unet.load_state_dict(t.ema_state())
        draw_sheet(unet, owner, text, tok, path, t.step)
    except Exception as error:  # a picture for people to look at must never end the run
        state.log(f"contact sheet failed: {error!r}")


def draw_sheet(unet, owner, text, tok, path, step):
    dtype = torch.bfloat16 if DEVICE == "cuda" else torch.float32
    unet = unet.to(DEVICE, dtype).eval()
    show = SHOW[:2] if config.TINY else SHOW
    steps, frames = (2, 8) if config.TINY else (20, 16)
    z = sample.sample(unet, owner, text, tok, [p for _, p in show], [sample.scales_for(c) for c, _ in show], range(len(show)), frames, steps, device=DEVICE, dtype=dtype)
    y = sample.decode(stage_vae.load_frozen(dtype), z[:, [0, frames // 3, 2 * frames // 3]])
    render.sheet(y.flatten(0, 1), 9, path, scale=2)
    state.log(f"contact sheet at step {step}: {path}")
