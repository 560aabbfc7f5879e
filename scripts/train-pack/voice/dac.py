"""Trains the codec, then freezes its codes.

  python dac.py train  --dir TRAIN --seconds 240     everything; spectral losses, after a third of the time discriminators too -> dac.pt
  python dac.py keep   --dir TRAIN --from PACK       the codec of a pack as it is -> dac.pt
  python dac.py encode --dir TRAIN                   all lines of data/ as codes -> codes-*.npz
  python dac.py refine --dir TRAIN --seconds 300     decoder only, codes fixed -> dac-refine-NAME.pt; --cepstrum and --adversary weigh
                                                     cepstra and discriminators (0: without); one process a GPU under torchrun
train --from PACK starts with the pack's codec: discriminators from the first step on, a lower rate, no new codebooks.
"""

import argparse
import copy
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import DacModel

import config as c
from dac_loss import CepstralLoss, Discriminator, SpectralLoss, discriminator_loss, generator_loss
from data import load_pcm, shard_paths, wait_for
from export import start_from, whole

sys.path.insert(0, str(Path(__file__).parent.parent))
from parallel import LEADS, RANK, averaged, first_says, join, leave  # noqa: E402

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

    @torch.no_grad()
    def first_batch(self, hidden: torch.Tensor) -> None:
        residual = hidden
        for quantizer in self.quantizers:
            latents = quantizer.in_proj(residual).transpose(1, 2).reshape(-1, quantizer.codebook_dim)
            quantizer.codebook.weight.copy_(latents[torch.randint(len(latents), (c.CODEBOOK_SIZE,), device=latents.device)])
            residual = residual - quantizer(residual)[0]

    @torch.no_grad()
    def count(self, codes: torch.Tensor, latents: torch.Tensor, revive: bool) -> torch.Tensor:
        """codes [batch, channels, frames], latents [batch, channels * dim, frames]; returns the share in use."""
        flat = codes.transpose(0, 1).flatten(1)
        share = torch.zeros_like(self.usage).scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float32)) / flat.shape[1] * c.CODEBOOK_SIZE
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
        return 1 - dead.float().mean()


class Segments:
    """Random segments of lines, in GPU memory; refreshed as more shards appear."""

    def __init__(self, folder: Path, samples: int, limit: int):
        self.folder, self.samples, self.limit, self.seen = folder, samples, limit, set()
        self.pcm = torch.zeros(0, dtype=torch.int16, device=DEVICE)
        self.generator = torch.Generator(device=DEVICE).manual_seed(2 + RANK)
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
    """The convolutions in bfloat16 on a GPU; quantizers and losses stay in float32. A CUDA graph must not meet cached casts."""
    return torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda", cache_enabled=False)


def fast_convolutions() -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


def save(model: nn.Module, path: Path) -> None:
    torch.save({k: v.detach().cpu() for k, v in model.state_dict().items()}, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


@torch.no_grad()
def ema_update(ema: nn.Module, model: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - decay)


def schedule(done: float, step: int, peak: float) -> float:
    """Linear warm-up over 200 steps and a cosine down to 3 % of the peak at the end of the time."""
    return peak * min(1.0, (step + 1) / 200) * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * min(1.0, done))))


def quantise(quantizers, hidden: torch.Tensor, dropout: float) -> tuple:
    """As transformers' DacResidualVectorQuantizer (5.17.0) in training: a share `dropout` of the rows keeps a random number of
    codebooks. The numbers are drawn on the device, so that it can be a CUDA graph.
    Returns quantised [batch, width, frames], codes [batch, channels, frames], latents, commitment and codebook loss."""
    rows = len(hidden)
    kept = torch.randint(1, c.CODEBOOKS + 1, (rows,), device=hidden.device)
    kept = torch.where(torch.rand(rows, device=hidden.device) < dropout, kept, c.CODEBOOKS)
    total, commitment, codebook, codes, latents = 0.0, 0.0, 0.0, [], []
    for i, quantizer in enumerate(quantizers):
        part, commit, move, index, latent = quantizer(hidden)
        mask = (i < kept).float()
        total = total + part * mask[:, None, None]
        hidden = hidden - part
        commitment, codebook = commitment + commit * mask.mean(), codebook + move * mask.mean()
        codes.append(index)
        latents.append(latent)
    return total, torch.stack(codes, 1), torch.cat(latents, 1), commitment, codebook


class Loss:
    """Loss and gradients of one batch of the codec and, once they have joined, of its discriminators. On a GPU a CUDA graph of both: the
    few hundred small kernels of a step cost more to launch than to run."""

    def __init__(self, model: DacModel, trained: list, judged_rows: int, coded: bool, dropout: float = 0.0):
        """`coded`: encoder and codebooks are trained too, else `trained` are the decoder's weights alone."""
        self.model, self.trained, self.rows, self.coded, self.dropout = model, trained, judged_rows, coded, dropout
        self.spectral, self.judge, self.cepstral = SpectralLoss().to(DEVICE), None, CepstralLoss().to(DEVICE)
        self.cepstrum = 0.0  # weight of the cepstral loss
        self.extra = torch.zeros((), device=DEVICE)  # weight of what the discriminators say
        self.graph, self.result = None, {}

    def join(self) -> list:
        """The discriminators join; returns their parameters."""
        self.judge, self.graph = Discriminator().to(DEVICE), None
        return list(self.judge.parameters())

    def compute(self, x: torch.Tensor) -> dict:
        """x [batch, 1, samples]"""
        result, loss = {}, 0.0
        with half(), torch.set_grad_enabled(self.coded):
            hidden = self.model.encoder(x)
        with torch.set_grad_enabled(self.coded):
            quantised, result["codes"], result["latents"], commitment, codebook = quantise(
                self.model.quantizer.quantizers, hidden.float(), self.dropout
            )
        if self.coded:
            result["commitment"] = commitment
            loss = 0.25 * commitment + codebook
        with half():
            y = self.model.decoder(quantised)
        y = y.float()
        result["spectral"] = self.spectral(x[:, 0], y[:, 0])
        loss = loss + 15 * result["spectral"]
        if self.cepstrum:
            result["cepstral"] = self.cepstral(x[:, 0], y[:, 0])
            loss = loss + self.cepstrum * result["cepstral"]
        if self.judge:
            real_sound, made = x[: self.rows, 0], y[: self.rows, 0]
            with half():
                real = self.judge(real_sound)
                result["judged"] = discriminator_loss(real, self.judge(made.detach()))
                result["judge_gradients"] = torch.autograd.grad(result["judged"], list(self.judge.parameters()))
                adversarial, match = generator_loss([[f.detach() for f in part] for part in real], self.judge(made))
            result["adversarial"], result["match"] = adversarial, match
            loss = loss + self.extra * (adversarial + 2 * match)
        result["gradients"] = torch.autograd.grad(loss, self.trained)
        return {k: v.detach() if torch.is_tensor(v) else v for k, v in result.items()}

    def capture(self, x: torch.Tensor) -> None:
        self.static = x.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.compute(self.static)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.result = self.compute(self.static)

    def __call__(self, x: torch.Tensor, graphs: bool) -> dict:
        if not graphs:
            return self.compute(x)
        if self.graph is None:
            self.capture(x)
        self.static.copy_(x)
        self.graph.replay()
        return self.result


def descend(optimiser: torch.optim.Optimizer, gradients: list, rate: float) -> torch.Tensor:
    """One step with gradients clipped to a norm of 5; returns the norm before."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    clipped, norm = averaged(gradients, 5.0)
    for parameter, gradient in zip(parameters, clipped):
        parameter.grad = gradient
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    return norm


def adam(parameters: list, decay: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(parameters, lr=1e-3, betas=(0.8, 0.99), weight_decay=decay, fused=DEVICE == "cuda")


def told(result: dict) -> str:
    names = ("spectral", "cepstral", "commitment", "adversarial", "match", "judged")
    return " ".join(f"{name} {result[name].item():.4f}" for name in names if name in result)


def train(folder: Path, seconds: float, batch: int, steps: int, pack: Path | None) -> None:
    wait_for(folder / "data", 10 if DEVICE == "cuda" else 1)
    fast_convolutions()
    model, resumed = new_model(), (folder / "dac.pt").exists()
    if resumed:
        model.load_state_dict(torch.load(folder / "dac.pt", map_location="cpu", weights_only=True))
    elif pack:
        print(f"codec of {pack}, missing: {start_from(model, pack / 'dac')}", flush=True)
    model = model.to(DEVICE).train()
    # From nothing the discriminators join once the spectra are roughly right; judging half of the batch keeps a step cheap.
    joins, peak = (0.0, 4e-4) if pack else (0.33, 7e-4)
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    books = Codebooks(model)
    optimiser, adversary = adam(list(model.parameters()), 1e-4), None
    data = Segments(folder / "data", 64 * c.HOP, 60)
    if not resumed and pack is None:
        with torch.no_grad(), half():
            hidden = model.encoder(data.draw(batch)[:, None])
        books.first_batch(hidden.float())
        ema.load_state_dict(model.state_dict())
    loss = Loss(model, list(model.parameters()), max(1, batch // 2), coded=True, dropout=0.1 if pack else 0.25)
    graphs = DEVICE == "cuda" and not (folder / "eager-dac").exists()
    started, step = time.time(), 0
    while (done := (time.time() - started) / seconds) < 1 and step < steps:
        rate = schedule(done, step, peak)
        if done >= joins and adversary is None:
            adversary = adam(loss.join(), 0)
        loss.extra.fill_(min(1.0, max(0.0, done - joins) / 0.08))
        try:
            result = loss(data.draw(batch)[:, None], graphs)
        except RuntimeError:
            (folder / "eager-dac").write_text("")
            raise
        norm = descend(optimiser, result["gradients"], rate)
        if adversary:
            descend(adversary, result["judge_gradients"], max(rate, 1e-4))
        alive = books.count(result["codes"], result["latents"], revive=done < (0.3 if pack else 0.6) and step % 10 == 0)
        ema_update(ema, model, min(0.999, 1 - 1 / (step + 2)) if done < 0.6 else 0.998)
        step += 1
        if step % LOG_EVERY == 0 or step == 1:
            data.refresh()
            print(f"dac {time.time() - started:.0f} s step {step} {told(result)} alive {alive.item():.3f} grad {norm.item():.2f}", flush=True)
        if step % 500 == 0:
            save(ema, folder / "dac.pt")
    save(ema, folder / "dac.pt")
    (folder / "dac.done").write_text(json.dumps({"steps": step}))
    print(f"dac done: {step} steps", flush=True)


def keep(folder: Path, pack: Path) -> None:
    """The pack's codec becomes dac.pt: codes stay what they were, and the pack's Dia stays valid."""
    save(whole(DacModel(c.dac_config()), pack / "dac"), folder / "dac.pt")
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


def refine(folder: Path, name: str, seconds: float, batch: int, steps: int, cepstrum: float, adversary: float) -> None:
    join()
    fast_convolutions()
    torch.manual_seed(3 + RANK)
    model = load(folder / "dac.pt")
    trained = list(model.decoder.parameters())
    ema = copy.deepcopy(model).requires_grad_(False)
    loss = Loss(model, trained, batch, coded=False)
    loss.cepstrum = cepstrum
    optimiser, judges = adam(trained, 0), adam(loss.join(), 0) if adversary else None
    data = Segments(folder / "data", 64 * c.HOP, 60)
    graphs = DEVICE == "cuda" and not (folder / "eager-dac").exists()
    started, step, target = time.time(), 0, folder / f"dac-refine-{name}.pt"
    while (done := first_says((time.time() - started) / seconds)) < 1 and step < steps:
        rate = schedule(done, step, 4e-4)
        loss.extra.fill_(adversary * min(1.0, done / 0.1))
        result = loss(data.draw(batch)[:, None], graphs)
        descend(optimiser, result["gradients"], rate)
        if judges:
            descend(judges, result["judge_gradients"], max(rate, 1e-4))
        ema_update(ema.decoder, model.decoder, min(0.998, 1 - 1 / (step + 2)))
        step += 1
        if LEADS and (step % LOG_EVERY == 0 or step == 1):
            data.refresh()
            print(f"refine {time.time() - started:.0f} s step {step} {told(result)}", flush=True)
        if LEADS and step % 500 == 0:
            save(ema, target)
    if LEADS:
        save(ema, target)
        print(f"refine done: {step} steps", flush=True)
    leave()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["train", "keep", "encode", "refine"])
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--from", dest="pack", type=Path, help="a pack folder with dac/model.safetensors")
    parser.add_argument("--name", default="candidate", help="refine: of the result")
    parser.add_argument("--cepstrum", type=float, default=8.0)
    parser.add_argument("--adversary", type=float, default=0.0)
    options = parser.parse_args()
    if options.command == "train":
        train(options.dir, options.seconds, options.batch, options.steps, options.pack)
    elif options.command == "keep":
        keep(options.dir, options.pack)
    elif options.command == "encode":
        encode(options.dir)
    else:
        refine(options.dir, options.name, options.seconds, options.batch, options.steps, options.cepstrum, options.adversary)
