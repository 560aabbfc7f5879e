"""Stage 5: UNet, motion modules and both adapters together, on the latents.

Every clip is of one kind and weighs the adapters its own way: no adapter (children, empty places), Temo's at 1, Felfel's at 1,
or both at 0.5. The shared weights learn to draw everything; which character appears is up to the adapters.
"""

import os

import torch
import torch.nn.functional as F

import config
import models
import prompts
import random
import render
import sample
import stage_text
import stage_vae
import tokenizer
from trainer import DEVICE, Clock, Every, Master, memory, setup, state

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
        saved = state.load("latents")
        keep = lambda p: {"z": p["z"].to(DEVICE), "ids": p["ids"].to(DEVICE), "kind": p["kind"].to(DEVICE)}
        self.parts = {k: keep(p) for k, p in saved.items()}

    def batch(self, frames, n):
        """-> latents [n,frames,C,h,w], token ids [n,48], kind [n]; windows of the long clips where they fit."""
        lengths = [k for k in self.parts if k >= frames]
        weights = torch.tensor([float(len(self.parts[k]["z"])) for k in lengths])
        share = torch.multinomial(weights, n, True).bincount(minlength=len(lengths)).tolist()
        zs, ids, kinds = [], [], []
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
        return torch.cat(zs), torch.cat(ids), torch.cat(kinds)


def adapter_scales(kind):
    """[N] -> [N,2], a little jittered so that weights near 1 and 0.5 work as well."""
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], device=DEVICE)
    return table[kind] * (1 + 0.1 * (torch.rand(len(kind), 2, device=DEVICE) * 2 - 1))


def run(seconds, deadline):
    setup(5)
    saved = state.load("unet")
    spent = saved["spent"] if saved else 0.0
    clock = Clock(spent + seconds, spent, deadline)  # `seconds` is what is left of the run
    unet, owner, _, _ = models.build_unet()
    t = Master(unet, float(os.environ.get("PICTURE_LR", "8e-4")), ema=0.9985)
    if saved:
        t.restore(saved)
        torch.manual_seed(config.SEED + 50 + saved["step"])
    text, tok, pool, a = stage_text.load_frozen(), tokenizer.Tokenizer(config.TRAIN_DIR / "tokenizer"), Pool(), alphas()
    with torch.no_grad():
        null_hidden, null_pooled = models.encode_text(*text, tok(prompts.NEGATIVE).to(DEVICE))
    batch = 2 if config.TINY else BATCH
    params = sum(p.numel() for p in unet.parameters()) / 1e6
    state.log(f"unet: {params:.2f} M parameters with adapters, batch {batch}, from step {t.step}, {clock.end - clock.start - clock.spent:.0f} s left")
    tell, keep, show = Every(10), Every(75), Every(120)
    average = None
    rng = random.Random(config.SEED + t.step)
    time_ids = torch.tensor([config.TIME_IDS], device=DEVICE, dtype=torch.bfloat16)
    while not clock.done or t.step < 2:
        frames = rng.choices([16, 32, 8, 24], [0.76, 0.12, 0.06, 0.06])[0]
        n = max(1, batch * 16 // frames)
        z, ids, kind = pool.batch(frames, n)
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
        owner["scales"] = adapter_scales(kind)
        added = {"text_embeds": pooled, "time_ids": time_ids.expand(n, -1)}
        try:
            v = unet(x.to(torch.bfloat16), step.float(), hidden.repeat_interleave(frames, 0), added_cond_kwargs=added).sample
            loss = F.mse_loss(v.float(), target)
            loss.backward()
        except torch.OutOfMemoryError:
            v = loss = None
            for p in t.live:
                p.grad = None
            torch.cuda.empty_cache()
            batch = max(8, batch * 3 // 4)
            state.log(f"out of memory: batch {batch} from now on")
            continue
        t.update(clock.cosine(0.02))
        average = loss.detach() if average is None else average.lerp(loss.detach(), 0.02)
        if tell():
            state.log(f"unet step {t.step} loss {average.item():.4f} {clock.fraction:.0%} {t.step / max(1, clock.spent):.1f} step/s {memory()}")
            state.status(stage="unet", step=t.step, loss=round(average.item(), 4), fraction=round(clock.fraction, 3))
        if keep():
            state.save("unet", {**t.state(), "spent": clock.spent})
        if show():
            contact_sheet(t, text, tok, config.TRAIN_DIR / "sheet-unet.png")
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
