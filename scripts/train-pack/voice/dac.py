"""Trains the codec, then freezes its codes.

  python dac.py train  --dir TRAIN --seconds 240     everything; spectral losses, after a third of the time discriminators too -> dac.pt
  python dac.py keep   --dir TRAIN --from PACK       the codec of a pack as it is -> dac.pt
  python dac.py encode --dir TRAIN                   all lines of data/ as codes -> codes-*.npz
  python dac.py refine --dir TRAIN --seconds 300     decoder only, with discriminators, codes fixed -> dac-refined.pt
train --from PACK starts with the pack's codec: discriminators from the first step on, a lower rate, no new codebooks.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import DacModel

import config as c
from dac_loss import Discriminator, SpectralLoss, discriminator_loss, generator_loss
from data import load_pcm, shard_paths, wait_for
from export import start_from

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LOG_EVERY = 100 if DEVICE == "cuda" else 10


def new_model() -> DacModel:
    """Convolutions start with unit gain; transformers' std of 0.02 is far too small at these widths."""
    torch.manual_seed(1)
    model = DacModel(c.dac_config())
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.normal_(module.weight, std=(module.in_channels * module.kernel_size[0]) ** -0.5)
        elif isinstance(module, nn.ConvTranspose1d):
            nn.init.normal_(module.weight, std=(2 * module.in_channels) ** -0.5)
    with torch.no_grad():
        for name, module in model.named_modules():
            if name.endswith(("res_unit1.conv2", "res_unit2.conv2", "res_unit3.conv2")):
                module.weight.mul_(0.3)
        model.decoder.conv2.weight.mul_(0.1)
        # Four subspaces of 8 dimensions, each coded twice; out_proj is the transpose of in_proj, so that
        # every stage takes something away from the residual from the first step on.
        basis = torch.linalg.qr(torch.randn(model.config.hidden_size, 4 * 8))[0]
        for i, quantizer in enumerate(model.quantizer.quantizers):
            part = basis[:, 8 * (i % 4) : 8 * (i % 4 + 1)]
            quantizer.in_proj.weight.copy_(part.T[..., None])
            quantizer.out_proj.weight.copy_(part[..., None])
            quantizer.in_proj.bias.zero_()
            quantizer.out_proj.bias.zero_()
        model.encoder.conv2.weight.mul_(2.0)
    return model


class Codebooks:
    """Keeps the codebooks alive: first batch as initial entries, then unused entries move to recent latents."""

    def __init__(self, model: DacModel):
        self.quantizers = model.quantizer.quantizers
        self.usage = torch.ones(c.CODEBOOKS, c.CODEBOOK_SIZE, device=DEVICE)
        self.fresh = True

    @torch.no_grad()
    def first_batch(self, hidden: torch.Tensor) -> None:
        residual = hidden
        for quantizer in self.quantizers:
            latents = quantizer.in_proj(residual).transpose(1, 2).reshape(-1, quantizer.codebook_dim)
            quantizer.codebook.weight.copy_(latents[torch.randint(len(latents), (c.CODEBOOK_SIZE,), device=latents.device)])
            residual = residual - quantizer(residual)[0]
        self.fresh = False

    @torch.no_grad()
    def count(self, codes: torch.Tensor, latents: torch.Tensor, revive: bool) -> float:
        """codes [batch, channels, frames], latents [batch, channels * dim, frames]; returns the share in use."""
        one = torch.stack([torch.bincount(codes[:, q].flatten(), minlength=c.CODEBOOK_SIZE) for q in range(c.CODEBOOKS)])
        share = one.float() / codes[:, 0].numel() * c.CODEBOOK_SIZE
        self.usage.mul_(0.98).add_(share, alpha=0.02)
        dead = self.usage < 0.02
        if revive:
            for q, quantizer in enumerate(self.quantizers):
                where = dead[q].nonzero().flatten()
                if len(where):
                    dim = quantizer.codebook_dim
                    pool = latents[:, q * dim : (q + 1) * dim].transpose(1, 2).reshape(-1, dim)
                    quantizer.codebook.weight[where] = pool[torch.randint(len(pool), (len(where),), device=pool.device)]
                    self.usage[q, where] = 0.3
        return 1 - dead.float().mean().item()


class Segments:
    """Random segments of lines, in GPU memory; refreshed as more shards appear."""

    def __init__(self, folder: Path, samples: int, limit: int):
        self.folder, self.samples, self.limit, self.seen = folder, samples, limit, set()
        self.pcm = torch.zeros(0, dtype=torch.int16, device=DEVICE)
        self.generator = torch.Generator(device=DEVICE).manual_seed(2)
        self.refresh()

    def refresh(self) -> None:
        new = [p for p in shard_paths(self.folder) if p not in self.seen][: max(0, min(8, self.limit - len(self.seen)))]
        if new:
            self.pcm = torch.cat([self.pcm, torch.from_numpy(load_pcm(new)[0]).to(DEVICE)])
            self.seen.update(new)

    def draw(self, count: int) -> torch.Tensor:
        start = torch.randint(len(self.pcm) - self.samples, (count, 1), device=DEVICE, generator=self.generator)
        return self.pcm[start + torch.arange(self.samples, device=DEVICE)].float() / 32768


def half():
    """The convolutions in bfloat16 on a GPU; quantizers and losses stay in float32."""
    return torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda")


def save(model: nn.Module, path: Path) -> None:
    torch.save({k: v.detach().cpu() for k, v in model.state_dict().items()}, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


@torch.no_grad()
def ema_update(ema: nn.Module, model: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - decay)


def schedule(done: float, step: int, peak: float) -> float:
    """Linear warm-up over 200 steps and a cosine down to 3 % of the peak at the end of the time."""
    return peak * min(1.0, (step + 1) / 200) * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * min(1.0, done))))


class Adversary:
    """Period and STFT discriminators with their own optimiser."""

    def __init__(self):
        self.judge = Discriminator().to(DEVICE)
        self.optimiser = torch.optim.AdamW(self.judge.parameters(), lr=4e-4, betas=(0.8, 0.99), weight_decay=0)

    def step(self, x: torch.Tensor, y: torch.Tensor, rate: float) -> tuple[torch.Tensor, torch.Tensor, float]:
        """x, y: real and decoded [batch, samples]. Trains the discriminators once; returns (adversarial, feature
        matching) losses of y and the discriminators' own loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        judged = discriminator_loss(self.judge(x), self.judge(y.detach()))
        judged.backward()
        norm = nn.utils.clip_grad_norm_(self.judge.parameters(), 5.0)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.judge.requires_grad_(False)
        with torch.no_grad():
            real = self.judge(x)
        adversarial, match = generator_loss(real, self.judge(y))
        self.judge.requires_grad_(True)
        return adversarial, match, judged.item()


def train(folder: Path, seconds: float, batch: int, steps: int, pack: Path | None) -> None:
    wait_for(folder / "data", 10 if DEVICE == "cuda" else 1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    model, resumed = new_model(), (folder / "dac.pt").exists()
    if resumed:
        model.load_state_dict(torch.load(folder / "dac.pt", map_location="cpu", weights_only=True))
    elif pack:
        print(f"codec of {pack}, missing: {start_from(model, pack / 'dac')}", flush=True)
    model = model.to(DEVICE).train()
    # The discriminators join once the spectra are roughly right; judging half of the batch keeps a step cheap.
    joins, peak, judged_rows = (0.0, 4e-4, max(1, batch // 2)) if pack else (0.33, 7e-4, max(1, batch // 2))
    adversary, extra, last = None, 0.0, ""
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    loss_of = SpectralLoss().to(DEVICE)
    books = Codebooks(model)
    books.fresh = not resumed and pack is None
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.8, 0.99), weight_decay=1e-4)
    data = Segments(folder / "data", 64 * c.HOP, 60)
    started, step = time.time(), 0
    while (done := (time.time() - started) / seconds) < 1 and step < steps:
        rate = schedule(done, step, peak)
        for group in optimiser.param_groups:
            group["lr"] = rate
        x = data.draw(batch)[:, None]
        with half():
            hidden = model.encoder(x)
        hidden = hidden.float()
        if books.fresh:
            books.first_batch(hidden)
            ema.load_state_dict(model.state_dict())
        quantised, codes, latents, commitment, codebook = model.quantizer(hidden)
        with half():
            y = model.decoder(quantised)
        y = y.float()
        spectral = loss_of(x[:, 0], y[:, 0])
        if done >= joins:
            adversary = adversary or Adversary()
            adversarial, match, judged = adversary.step(x[:judged_rows, 0], y[:judged_rows, 0], max(rate, 1e-4))
            extra = min(1.0, (done - joins) / 0.08) * (adversarial + 2 * match)
            last = f" adversarial {adversarial.item():.3f} match {match.item():.3f} judge {judged:.3f}"
        loss = 15 * spectral + 0.25 * commitment.mean() + codebook.mean() + extra
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        if torch.isfinite(norm):
            optimiser.step()
        alive = books.count(codes, latents, revive=done < (0.3 if pack else 0.6) and step % 10 == 0)
        ema_update(ema, model, min(0.999, 1 - 1 / (step + 2)) if done < 0.6 else 0.998)
        step += 1
        if step % LOG_EVERY == 0 or step == 1:
            data.refresh()
            print(
                f"dac {time.time() - started:.0f} s step {step} spectral {spectral.item():.4f} commit {commitment.mean().item():.4f} "
                f"alive {alive:.3f} grad {norm.item():.2f}{last}", flush=True,
            )  # fmt: skip
        if step % 500 == 0:
            save(ema, folder / "dac.pt")
    save(ema, folder / "dac.pt")
    (folder / "dac.done").write_text(json.dumps({"steps": step}))
    print(f"dac done: {step} steps", flush=True)


def keep(folder: Path, pack: Path) -> None:
    """The pack's codec becomes dac.pt: codes stay what they were, and the pack's Dia stays valid."""
    model = DacModel(c.dac_config())
    if missing := start_from(model, pack / "dac"):
        raise ValueError(f"{pack}/dac lacks {missing[:3]}")
    save(model, folder / "dac.pt")
    (folder / "dac.done").write_text(json.dumps({"kept": True}))


def load(path: Path) -> DacModel:
    model = DacModel(c.dac_config())
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.to(DEVICE).eval()


@torch.no_grad()
def encode_batch(model: DacModel, lines: list[np.ndarray]) -> list[np.ndarray]:
    """int16 lines (whole frames) -> uint8 codes [frames, channels]; 8 frames of silence are added around each."""
    pad = 8
    frames = [len(x) // c.HOP for x in lines]
    x = torch.zeros(len(lines), 1, (max(frames) + 2 * pad) * c.HOP, dtype=torch.int16)
    for i, line in enumerate(lines):
        x[i, 0, pad * c.HOP : pad * c.HOP + len(line)] = torch.from_numpy(np.ascontiguousarray(line))
    codes = model.quantizer(model.encoder(x.to(DEVICE).float() / 32768))[1].transpose(1, 2).to(torch.uint8).cpu().numpy()
    return [codes[i, pad : pad + n] for i, n in enumerate(frames)]


def encode(folder: Path) -> None:
    """Runs until data/ is complete and encoded; then writes codes.done."""
    model = load(folder / "dac.pt")
    started, made = time.time(), 0
    while True:
        complete = (folder / "data" / "done").exists()
        todo = [p for p in shard_paths(folder / "data") if not (folder / p.name.replace("shard", "codes")).exists()]
        for path in todo:
            with np.load(path) as d:
                shard = {k: d[k] for k in d.files}
            lines = np.split(shard["pcm"], np.cumsum(shard["lengths"])[:-1])
            order = np.argsort(shard["lengths"])
            codes: list = [None] * len(lines)
            for part in np.array_split(order, max(1, len(order) // 50)):
                for i, value in zip(part, encode_batch(model, [lines[i] for i in part])):
                    codes[i] = value
            target = folder / path.name.replace("shard", "codes")
            np.savez(
                target.with_suffix(".tmp.npz"), codes=np.concatenate(codes), reading=shard["reading"],
                frames=shard["lengths"] // c.HOP, speakers=shard["speakers"], texts=shard["texts"],
            )  # fmt: skip
            target.with_suffix(".tmp.npz").rename(target)
            made += 1
        if complete and not todo:
            break
        if not todo:
            time.sleep(0.5)
    (folder / "codes.done").write_text("")
    print(f"encode done: {made} shards in {time.time() - started:.0f} s", flush=True)


def refine(folder: Path, seconds: float, batch: int, steps: int) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(3)
    model = load(folder / "dac.pt")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    trained = [*model.decoder.parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    ema = copy.deepcopy(model).requires_grad_(False)
    loss_of, adversary = SpectralLoss().to(DEVICE), Adversary()
    optimiser = torch.optim.AdamW(trained, lr=4e-4, betas=(0.8, 0.99), weight_decay=0)
    data = Segments(folder / "data", 64 * c.HOP, 60)
    started, step = time.time(), 0
    while (done := (time.time() - started) / seconds) < 1 and step < steps:
        rate = schedule(done, step, 4e-4)
        for group in optimiser.param_groups:
            group["lr"] = rate
        x = data.draw(batch)[:, None]
        with torch.no_grad():
            quantised = model.quantizer(model.encoder(x))[0]
        with half():
            y = model.decoder(quantised)
        y = y.float()
        spectral = loss_of(x[:, 0], y[:, 0])
        adversarial, match, judged = adversary.step(x[:, 0], y[:, 0], rate)
        loss = 15 * spectral + min(1.0, done / 0.1) * (adversarial + 2 * match)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(trained, 5.0)
        if torch.isfinite(norm):
            optimiser.step()
        ema_update(ema.decoder, model.decoder, min(0.998, 1 - 1 / (step + 2)))
        step += 1
        if step % LOG_EVERY == 0 or step == 1:
            print(
                f"refine {time.time() - started:.0f} s step {step} spectral {spectral.item():.4f} adversarial {adversarial.item():.3f} "
                f"match {match.item():.3f} judge {judged:.3f}", flush=True,
            )  # fmt: skip
    save(ema, folder / "dac-refine-candidate.pt")
    print(f"refine done: {step} steps", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["train", "keep", "encode", "refine"])
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--from", dest="pack", type=Path, help="a pack folder with dac/model.safetensors")
    options = parser.parse_args()
    if options.command == "train":
        train(options.dir, options.seconds, options.batch, options.steps, options.pack)
    elif options.command == "keep":
        keep(options.dir, options.pack)
    elif options.command == "encode":
        encode(options.dir)
    else:
        refine(options.dir, options.seconds, options.batch, options.steps)
