"""Trains a Dia on from a part of its weights, on the CPU: tensors that a safetensors file still holds start trained, the rest new.

  python repair.py --kept OLD/model.safetensors --dac DAC_FOLDER --data DIR --out DIR [--seconds 2150] [--layers 4]

`--data` is a folder of shards by synth.py; their codes are made first where they are missing. The published weights were
made this way: the embeddings, the logits and decoder layers 0 to 2 come from the run that `gpu-voice.sh` describes, the
text encoder and decoder layer 3 from this script (19 shards, 3.0 h of speech, about 35 minutes on two cores).
Writes OUT/dia (fp16, averaged weights) every two minutes and OUT/state.pt, from which `--resume` goes on.
"""

import argparse
import copy
import json
import struct
import time
from pathlib import Path

import numpy as np
import torch
from transformers import DacModel, DiaForConditionalGeneration

import config as c
import dac
import dia
from data import Lines, batch, shard_paths
from export import write_model

LENGTHS, EARLY, LATE = [160, 320, 480, 640], [0.6, 0.4, 0, 0], [0.3, 0.35, 0.2, 0.15]
OLD_RATE, SHARP_RATE = 0.35, 0.5  # of the learning rate, for trained tensors and for queries and keys


def surviving(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file that may have been cut off."""
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    found = {}
    for name, entry in json.loads(raw[8 : 8 + size]).items():
        if name == "__metadata__" or 8 + size + entry["data_offsets"][1] > len(raw):
            continue
        part = bytearray(raw[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]])
        found[name] = torch.frombuffer(part, dtype=torch.float16).reshape(entry["shape"]).float()
    return found


@torch.inference_mode()
def encode(folder: Path, model: DacModel) -> None:
    for path in shard_paths(folder):
        target = path.with_name(path.name.replace("shard", "codes"))
        if target.exists():
            continue
        with np.load(path) as shard:
            lines = np.split(shard["pcm"], np.cumsum(shard["lengths"])[:-1])
            codes = np.concatenate([dac.encode_batch(model, [line])[0] for line in lines])
            np.savez(
                target, codes=codes, reading=shard["reading"], frames=shard["lengths"] // c.HOP,
                speakers=shard["speakers"], texts=shard["texts"],
            )  # fmt: skip


def new_model(kept: dict[str, torch.Tensor], layers: int) -> DiaForConditionalGeneration:
    torch.manual_seed(4)
    config = c.dia_config()
    config.decoder_config.num_hidden_layers = layers
    model = DiaForConditionalGeneration(config)
    model.config.use_cache = False
    state = model.state_dict()
    with torch.no_grad():
        for name, tensor in kept.items():
            if name in state:
                state[name].copy_(tensor)
        for i, layer in enumerate(model.model.decoder.layers):
            if f"model.decoder.layers.{i}.mlp.down_proj.weight" not in kept:  # starts close to the identity
                for part in (layer.self_attention.o_proj, layer.cross_attention.o_proj, layer.mlp.down_proj):
                    part.weight.mul_(0.1)
    return model


def groups(model: DiaForConditionalGeneration, kept: dict[str, torch.Tensor]) -> list[dict]:
    rates: dict[float, list] = {}
    for name, p in model.named_parameters():
        sharp = "q_proj" in name or "k_proj" in name
        scale = (OLD_RATE if name in kept else 1.0) * (SHARP_RATE if sharp else 1.0)
        rates.setdefault(scale, []).append(p)
    return [{"params": params, "scale": scale} for scale, params in rates.items()]


def train(options: argparse.Namespace) -> None:
    kept = surviving(options.kept)
    model = new_model(kept, options.layers)
    dia.GUIDED[:] = [(c.ALIGNMENT_LAYER, c.ALIGNMENT_HEAD)] + ([(3, 0)] if options.layers > 3 else [])
    watch, ema = dia.Watch(model), copy.deepcopy(model).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(groups(model, kept), lr=options.peak, betas=(0.9, 0.97), weight_decay=0.02)
    weights = torch.tensor(dia.CHANNEL_WEIGHTS)
    lines, random = Lines(sorted(options.data.glob("codes-*.npz"))), np.random.default_rng(7)
    step, used = 0, 0.0
    if options.resume:
        state = torch.load(options.resume, weights_only=False)
        model.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["opt"])
        step, used = state["step"], state.get("used", 0.0)
    started = saved = time.time()
    while (done := (used + time.time() - started) / options.seconds) < 1:
        rate = options.peak * min(1.0, (step + 1) / 80) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        length = int(random.choice(LENGTHS, p=EARLY if done < 0.3 else LATE))
        data = {k: torch.from_numpy(v) for k, v in batch(lines, random, options.frames, length).items()}
        result = dia.forward_loss(model, watch, data, weights)
        loss = result["main"] + (0.5 if done < 0.3 else 0.15) * result["guided"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if torch.isfinite(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)):
            optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - min(0.998, (step + 1) / (step + 10)))
        step += 1
        if step % 25 == 0:
            print(f"step {step} loss {result['main'].item():.3f} guided {result['guided'].item():.3f} lr {rate:.5f}", flush=True)
        if time.time() - saved > 120:
            save(options.out, model, ema, optimiser, step, used + time.time() - started)
            saved = time.time()
    save(options.out, model, ema, optimiser, step, used + time.time() - started)


def save(out: Path, model, ema, optimiser, step: int, used: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_model(copy.deepcopy(ema), out / "dia")
    state = {"model": model.state_dict(), "ema": ema.state_dict(), "opt": optimiser.state_dict(), "step": step, "used": used}
    torch.save(state, out / "state.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("kept", "dac", "data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--seconds", type=float, default=2150)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--frames", type=int, default=1600)
    parser.add_argument("--peak", type=float, default=1.2e-3)
    arguments = parser.parse_args()
    encode(arguments.data, DacModel.from_pretrained(arguments.dac, dtype=torch.float32).eval())
    train(arguments)
