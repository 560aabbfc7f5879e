"""Trains Dia on the codes: teacher forcing on one- to eight-line dialogues up to 12.8 s.

  python dia.py --dir TRAIN --seconds 560 [--frames 32000] [--workers 5] [--from PACK]

On a GPU, forward and backward are one CUDA graph per batch length (the step is bound by launches). When a graph
cannot be captured, TRAIN/eager is written and the process ends: the next start goes on without graphs.
Losses: cross entropy per channel (coarse channels weigh more) and, for one cross-attention head in two
layers, the distance between where it reads and the character that flite was speaking. One row in ten has
its text replaced by zeros (guidance). Every minute: dia-ema.pt (export, evaluation), dia-state.pt (resume).
"""

import argparse
import copy
import json
import multiprocessing
import queue
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import DiaForConditionalGeneration

import config as c
from data import Lines, batch
from export import start_from

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CHANNEL_WEIGHTS = [2.0, 1.8, 1.6, 1.4, 1.0, 0.9, 0.8, 0.7]
GUIDED = [(c.ALIGNMENT_LAYER, c.ALIGNMENT_HEAD), (3, 0)]
LENGTHS = [160, 320, 480, 640]
EARLY, LATE = [0.6, 0.4, 0.0, 0.0], [0.3, 0.3, 0.2, 0.2]


def encoded(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("codes-*.npz") if ".tmp" not in p.name)


def produce(folder: Path, out: multiprocessing.Queue, late, seed: int, frames: int) -> None:
    """A worker: batches from the lines encoded so far, and from all of them once codes.done is there."""
    complete = (folder / "codes.done").exists()
    lines, random = Lines(encoded(folder)), np.random.default_rng(seed)
    while True:
        if not complete and (folder / "codes.done").exists():
            complete, lines = True, Lines(encoded(folder))
        length = int(random.choice(LENGTHS, p=LATE if late.value else EARLY))
        out.put(batch(lines, random, frames, length))


def new_model() -> DiaForConditionalGeneration:
    torch.manual_seed(4)
    model = DiaForConditionalGeneration(c.dia_config())
    model.config.use_cache = False
    return model


class Watch:
    """Remembers what goes into the guided cross attentions, to compute one head's weights again."""

    def __init__(self, model: DiaForConditionalGeneration):
        self.seen: dict[int, tuple] = {}
        self.layers = model.model.decoder.layers
        for layer in {layer for layer, _ in GUIDED}:
            hook = lambda module, args, kwargs, layer=layer: self.seen.__setitem__(layer, (args[0], args[1]))
            self.layers[layer].cross_attention.register_forward_pre_hook(hook, with_kwargs=True)

    def loss(self, text_mask: torch.Tensor, reading: torch.Tensor, use: torch.Tensor) -> torch.Tensor:
        """-log of the attention near the spoken character. text_mask [B, T], reading [B, R], use [B, R]."""
        place = torch.arange(text_mask.shape[1], device=text_mask.device)
        near = torch.exp(-((place - reading[..., None]) ** 2) / (2 * 1.5**2))
        total = 0.0
        for layer, head in GUIDED:
            attention = self.layers[layer].cross_attention
            hidden, states = self.seen[layer]
            part = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
            query = F.linear(hidden, attention.q_proj.weight[part])
            key = F.linear(states, attention.k_proj.weight[part])
            scores = (query @ key.transpose(1, 2)).float().masked_fill(text_mask[:, None] == 0, -1e9)
            inside = (scores.softmax(-1) * near).sum(-1).clamp(min=1e-5)
            total = total - (inside.log() * use).sum() / use.sum().clamp(min=1)
        return total / len(GUIDED)


def forward_loss(model, watch: Watch, data: dict, weights: torch.Tensor) -> dict:
    text, audio, reading = data["text"].long(), data["audio"].long(), data["reading"]
    mask = (text > 0).long()
    dropped = torch.rand(len(text), 1, device=text.device, ) < 0.1
    text = torch.where(dropped, torch.zeros_like(text), text)
    rows, labels = audio[:, :-1], audio[:, 1:]
    # A few wrong codes in the input, in half of the rows: generation must recover from its own mistakes.
    noisy = torch.rand(rows.shape, device=text.device, ) < 0.06
    noisy &= torch.rand(len(text), 1, 1, device=text.device, ) < 0.5
    other = torch.randint(0, c.CODEBOOK_SIZE, rows.shape, device=text.device)
    rows = torch.where(noisy & (rows < c.CODEBOOK_SIZE), other, rows)
    # Masks of four dimensions are taken as they are; two would be inspected, which a CUDA graph cannot do.
    readable = mask.bool()[:, None, None]
    inside, across = (readable.expand(-1, 1, size, -1) for size in (text.shape[1], rows.shape[1]))
    with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
        encoded = model.model.encoder(input_ids=text, attention_mask=inside).last_hidden_state
        hidden = model.model.decoder(
            input_ids=rows, encoder_hidden_states=encoded, encoder_attention_mask=across, use_cache=False
        ).last_hidden_state
        logits = model.logits_dense(hidden).view(*rows.shape, -1)
        guided = watch.loss(mask, reading, (reading >= 0) & ~dropped)
    targets = torch.where(labels > c.EOS, -100, labels)
    each = F.cross_entropy(logits.float().flatten(0, 2), targets.flatten(), ignore_index=-100, reduction="none")
    each = each.view(-1, c.CODEBOOKS).sum(0) / (targets != -100).view(-1, c.CODEBOOKS).sum(0)
    return {"channels": each.detach(), "main": (each * weights).sum() / weights.sum(), "guided": guided}


class Gradients:
    """Loss and gradients of one batch; on a GPU as a CUDA graph per batch shape, all in one memory pool."""

    def __init__(self, model, watch: Watch, weights: torch.Tensor, graphs: bool):
        self.model, self.watch, self.weights, self.graphs = model, watch, weights, graphs
        self.pull = torch.tensor(0.5, device=DEVICE)  # weight of the guided attention
        self.captured: dict[tuple, tuple] = {}
        self.pool = torch.cuda.graph_pool_handle() if graphs else None
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.gradients = [p.grad for p in model.parameters()]

    def compute(self, data: dict) -> dict:
        torch._foreach_zero_(self.gradients)
        result = forward_loss(self.model, self.watch, data, self.weights)
        (result["main"] + self.pull * result["guided"]).backward()
        return {k: v.detach() for k, v in result.items()}

    def capture(self, data: dict) -> tuple:
        static = {k: v.clone() for k, v in data.items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self.compute(static)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            result = self.compute(static)
        return graph, static, result

    def __call__(self, data: dict, pull: float) -> dict:
        self.pull.fill_(pull)
        if not self.graphs:
            return self.compute(data)
        shape = tuple(v.shape for v in data.values())
        if shape not in self.captured:
            self.captured[shape] = self.capture(data)
        graph, static, result = self.captured[shape]
        for name, value in data.items():
            static[name].copy_(value)
        graph.replay()
        return result


def save(folder: Path, model, ema, optimiser, step: int, used: float) -> None:
    for name, value in (
        ("dia-ema.pt", ema.state_dict()),
        ("dia-state.pt", {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "used": used}),
    ):
        torch.save(value, folder / (name + ".part"))
        (folder / (name + ".part")).rename(folder / name)


def train(folder: Path, seconds: float, frames: int, workers: int, steps: int, peak: float, pack: Path | None) -> None:
    waiting = time.time()
    while len(encoded(folder)) < 60 and not (folder / "codes.done").exists():
        time.sleep(0.5)
        if encoded(folder) and time.time() - waiting > 60:
            break
        if time.time() - waiting > 240:
            raise RuntimeError("no encoded line for four minutes")
    context = multiprocessing.get_context("fork")
    late, feed = context.Value("b", 0), context.Queue(24)
    for i in range(workers):
        context.Process(target=produce, args=(folder, feed, late, 100 + i, frames), daemon=True).start()
    torch.backends.cuda.matmul.allow_tf32 = True
    model = new_model()
    if pack and not (folder / "dia-state.pt").exists():
        print(f"dia of {pack}, new: {len(start_from(model, pack / 'dia'))} tensors", flush=True)
    model = model.to(DEVICE).train()
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    watch = Watch(model)
    sharp = [p for n, p in model.named_parameters() if "q_proj" in n or "k_proj" in n]  # scores are not divided by sqrt(d)
    other = [p for n, p in model.named_parameters() if not ("q_proj" in n or "k_proj" in n)]
    groups = [{"params": other, "scale": 1.0}, {"params": sharp, "scale": 0.5}]
    optimiser = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.96), weight_decay=0.05, fused=DEVICE == "cuda")
    weights = torch.tensor(CHANNEL_WEIGHTS, device=DEVICE)
    graphs = DEVICE == "cuda" and not (folder / "eager").exists()
    gradients = Gradients(model, watch, weights, graphs)
    torch.manual_seed(5)
    step, used = 0, 0.0
    if (folder / "dia-state.pt").exists():
        state = torch.load(folder / "dia-state.pt", map_location=DEVICE, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step, used = state["step"], state["used"]
        ema.load_state_dict(torch.load(folder / "dia-ema.pt", map_location=DEVICE, weights_only=True))
    started = saved = shown = time.time()
    trained = list(model.parameters())
    while (done := (used + time.time() - started) / seconds) < 1 and step < steps:
        late.value = done > 0.25
        rate = peak * min(1.0, (step + 1) / 300) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        try:
            data = {k: torch.from_numpy(v).to(DEVICE, non_blocking=True) for k, v in feed.get(timeout=120).items()}
        except queue.Empty:
            raise RuntimeError("no batch for two minutes: the workers died") from None
        try:
            result = gradients(data, 0.5 if done < 0.3 else 0.15)
        except RuntimeError:
            if graphs:
                (folder / "eager").write_text("")
            raise
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0, error_if_nonfinite=False)
        if torch.isfinite(norm):
            optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), trained, 1 - min(0.999, (step + 1) / (step + 10)))
        step += 1
        now = time.time()
        if step % 100 == 0 or step in (1, 10):
            channels = " ".join(f"{v:.2f}" for v in result["channels"].tolist())
            print(
                f"dia {used + now - started:.0f} s step {step} loss {result['main'].item():.3f} [{channels}] guided {result['guided'].item():.3f} "
                f"grad {norm.item():.2f} lr {rate:.5f} {1000 * (now - shown) / 100:.0f} ms/step queue {feed.qsize()}", flush=True,
            )  # fmt: skip
            shown = now
        if now - saved > 45:
            save(folder, model, ema, optimiser, step, used + now - started)
            saved = now
    save(folder, model, ema, optimiser, step, used + time.time() - started)
    (folder / "dia.done").write_text(json.dumps({"steps": step}))
    print(f"dia done: {step} steps", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=560)
    parser.add_argument("--frames", type=int, default=32_000)
    parser.add_argument("--workers", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--peak", type=float, default=1e-3)
    parser.add_argument("--from", dest="pack", type=Path, help="a pack folder with dia/model.safetensors")
    options = parser.parse_args()
    train(options.dir, options.seconds, options.frames, options.workers, options.steps, options.peak, options.pack)
