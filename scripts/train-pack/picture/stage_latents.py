"""Stage 4: renders clips with the frozen VAE at hand and keeps their latents, prompts and kinds."""

import torch
import torch.nn.functional as F

import config
import data
import render
import stage_vae
import tokenizer
from trainer import DEVICE, Clock, Every, memory, parallel, setup, state

VARIANTS = 6


def _tokenize(texts):
    return tokenizer.Tokenizer(config.TRAIN_DIR / "tokenizer")(texts).tolist()


def rows_ahead(seconds, deadline):
    """Scenes and token ids: made by other processors while the GPU trains the VAE."""
    count = 40 if config.TINY else 24_000
    rows = data.clip_rows(count, config.SEED + 3 + (50 if state.path("unet_start").exists() else 0), VARIANTS)
    parts = [[t for r in rows[i : i + 500] for t in r[2]] for i in range(0, len(rows), 500)]
    ids = torch.tensor(data.spread(_tokenize, parts), dtype=torch.int16).reshape(len(rows), VARIANTS, -1)
    state.save("rows", {"rows": rows, "ids": ids})


@torch.no_grad()
def run(seconds, deadline):
    if state.load("rows") is None:
        rows_ahead(seconds, deadline)
    ahead = state.load("rows")
    rows, ids = ahead["rows"], ahead["ids"]
    setup(4)
    clock = Clock(seconds, 0, deadline)
    vae = stage_vae.load_frozen(torch.bfloat16)
    tell = Every(10)
    # Clips of 16 and of 32 frames take turns (three of four are short), so that stopping early keeps the mix.
    chunk = 2 if DEVICE == "cpu" else 64
    out, masks = {16: [], 32: []}, {16: [], 32: []}
    index = {16: [], 32: []}
    i, turn = parallel.RANK * (len(rows) // parallel.WORLD), 0
    end = i + len(rows) // parallel.WORLD
    while i < end and not (clock.done and out[32]):
        length = 32 if turn % 4 == 1 else 16
        turn += 1
        n = chunk if length == 16 else chunk // 2
        part = rows[i : min(end, i + n)]
        x, mask = render.render([r[1] for r in part], [r[3] for r in part], length, DEVICE, mask=True)
        x = (x * 2 - 1).to(torch.bfloat16)
        z = torch.cat([vae.encode(x[k : k + 192]).latent_dist.mean for k in range(0, len(x), 192)])
        out[length].append(z.to(torch.float16).unflatten(0, (len(part), length)).cpu())
        grid = F.adaptive_max_pool2d(mask[:, None].float(), config.LATENT)[:, 0]
        masks[length].append(grid.to(torch.uint8).unflatten(0, (len(part), length)).cpu())
        index[length] += range(i, i + len(part))
        i += len(part)
        if tell():
            state.log(f"latents {i} clips {clock.fraction:.0%} {memory()}")
    pool = {}
    for length in (16, 32):
        k = torch.tensor(index[length])
        pool[length] = {"z": torch.cat(out[length]), "mask": torch.cat(masks[length]), "ids": ids[k], "kind": torch.tensor([rows[j][0] for j in index[length]])}
    sample = torch.cat([p["z"][:64].float().flatten(0, 1) for p in pool.values()])
    state.save(f"latents-{parallel.RANK}", pool)
    state.log(f"latents done: {i} clips ({len(pool[16]['z'])} of 16 and {len(pool[32]['z'])} of 32 frames), std {sample.std((0, 2, 3)).tolist()}")


def load():
    """-> {16 | 32: {z [N,F,C,h,w] fp16, mask [N,F,h,w], ids [N,VARIANTS,48], kind [N]}}, of all processes that made some."""
    parts = [state.load(f.stem) for f in sorted(config.TRAIN_DIR.glob("latents-*.pt"))]
    return {length: {k: torch.cat([p[length][k] for p in parts]) for k in parts[0][length]} for length in parts[0]}
