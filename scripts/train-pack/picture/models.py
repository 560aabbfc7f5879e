"""The models, their LoRA form for training, and how they are written as a pack."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import config

ADAPTERS = ("temo", "felfel")
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")


def build_vae():
    from diffusers import AutoencoderKL

    return AutoencoderKL(**config.VAE)


def build_text():
    """-> CLIPTextModel, CLIPTextModelWithProjection"""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    ids = dict(bos_token_id=config.VOCAB - 2, eos_token_id=config.VOCAB - 1, pad_token_id=config.VOCAB - 1)
    return CLIPTextModel(CLIPTextConfig(**config.TEXT, **ids)), CLIPTextModelWithProjection(CLIPTextConfig(**config.TEXT, **ids))


def encode_text(one, two, ids):
    """SDXL's way: the penultimate hidden states side by side, and the second encoder's projected pool."""
    a = one(ids, output_hidden_states=True).hidden_states[-2]
    out = two(ids, output_hidden_states=True)
    return torch.cat([a, out.hidden_states[-2]], -1), out.text_embeds


class LoraLinear(nn.Linear):
    """A Linear whose two adapters (ranks side by side) are weighted per picture of the batch."""

    def forward(self, x):
        y = F.linear(x, self.weight, self.bias)
        scales = self.owner["scales"]
        if scales is None:
            return y
        h = F.linear(x, self.lora_A)
        weight = scales.repeat_interleave(config.LORA_RANK, 1).to(h.dtype)
        h = h.view(weight.shape[0], -1, h.shape[-1]) * weight[:, None]
        # One matrix product adds the adapters' part to the layer's.
        return torch.addmm(y.view(-1, y.shape[-1]), h.view(-1, h.shape[-1]), self.lora_B.t()).view(y.shape)


def add_lora(unet):
    """Turns the spatial attention and feed-forward linears into LoraLinear; returns the dict that holds the scales."""
    owner = {"scales": None}
    for name, m in unet.named_modules():
        if ".attentions." in name and isinstance(m, nn.Linear) and name.endswith(TARGETS):
            rank = config.LORA_RANK * len(ADAPTERS)
            m.__class__ = LoraLinear
            m.owner = owner
            m.lora_A = nn.Parameter(torch.randn(rank, m.in_features) / m.in_features**0.5)
            m.lora_B = nn.Parameter(torch.zeros(m.out_features, rank))
    return owner


def build_unet():
    """-> UNetMotionModel with LoRA, the dict of its scales, and the two diffusers shells for saving."""
    from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

    flat, motion = UNet2DConditionModel(**config.UNET), MotionAdapter(**config.MOTION)
    unet = UNetMotionModel.from_unet2d(flat, motion)
    unet.add_embedding.load_state_dict(flat.add_embedding.state_dict())  # from_unet2d forgets these four tensors
    owner = add_lora(unet)
    return unet, owner, flat, motion


def unet_parts(state, flat, motion):
    """Splits a UNetMotionModel's state into UNet2D, MotionAdapter and one dict per LoRA."""
    lora = {k: v for k, v in state.items() if k.endswith((".lora_A", ".lora_B"))}
    a = {k: state[k] for k in flat.state_dict()}
    b = {k: state[k] for k in motion.state_dict()}
    rest = set(state) - set(a) - set(b) - set(lora)
    assert not rest, sorted(rest)[:5]
    files = {}
    for i, name in enumerate(ADAPTERS):
        s = slice(i * config.LORA_RANK, (i + 1) * config.LORA_RANK)
        files[name] = {f"unet.{k}.weight": (v[s] if k.endswith("A") else v[:, s]).contiguous() for k, v in lora.items()}
    return a, b, files


def wider(name, v):
    """A LoRA matrix of a smaller rank at LORA_RANK: new rows of A at random, new columns of B zero, so that the product stays."""
    a = name.endswith("A.weight")
    extra = config.LORA_RANK - v.shape[0 if a else 1]
    new = torch.randn(extra, v.shape[1]) / v.shape[1] ** 0.5 if a else torch.zeros(v.shape[0], extra)
    return torch.cat([v, new], 0 if a else 1)


def read_pack(pack: Path):
    """The other way: a pack's fp16 files -> {vae, text: (one, two), unet (with both adapters)} as fp32 states."""
    from safetensors.torch import load_file

    read = lambda name: {k: v.float() if v.is_floating_point() else v for k, v in load_file(str(pack / name)).items()}
    unet = {**read("unet/diffusion_pytorch_model.safetensors"), **read("motion_adapter/diffusion_pytorch_model.safetensors")}
    files = [{k: wider(k, v) for k, v in read(f"loras/{name}_adapter.safetensors").items()} for name in ADAPTERS]
    for k in files[0]:
        unet[k.removeprefix("unet.").removesuffix(".weight")] = torch.cat([f[k] for f in files], 0 if k.endswith("A.weight") else 1)
    text = read("text_encoder/model.safetensors"), read("text_encoder_2/model.safetensors")
    return {"vae": read("vae/diffusion_pytorch_model.safetensors"), "text": text, "unet": unet}


def half(state):
    return {k: v.detach().to("cpu", torch.float16).contiguous() if v.is_floating_point() else v.detach().cpu().contiguous() for k, v in state.items()}


def _save(folder: Path, model, state, file: str):
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    model.save_config(folder) if hasattr(model, "save_config") else model.config.save_pretrained(folder)
    save_file(half(state), str(folder / file), metadata={"format": "pt"})


def write_pack(out: Path, vae_state, text_states, unet_state, scaling: float):
    """All picture components in the diffusers layout, fp16."""
    from diffusers import DDIMScheduler
    from safetensors.torch import save_file

    import tokenizer

    vae, (one, two) = build_vae(), build_text()
    unet, _, flat, motion = build_unet()
    vae.register_to_config(scaling_factor=float(scaling))
    _save(out / "vae", vae, vae_state or vae.state_dict(), "diffusion_pytorch_model.safetensors")
    for folder, model, state in [("text_encoder", one, text_states and text_states[0]), ("text_encoder_2", two, text_states and text_states[1])]:
        model.config.architectures = [type(model).__name__]
        state = {k: v for k, v in (state or model.state_dict()).items() if not k.endswith("position_ids")}
        _save(out / folder, model, state, "model.safetensors")
    a, b, loras = unet_parts(unet_state or unet.state_dict(), flat, motion)
    _save(out / "unet", flat, a, "diffusion_pytorch_model.safetensors")
    _save(out / "motion_adapter", motion, b, "diffusion_pytorch_model.safetensors")
    (out / "loras").mkdir(exist_ok=True)
    for name, state in loras.items():
        meta = {"unet.r": config.LORA_RANK, "unet.lora_alpha": config.LORA_ALPHA, "unet.target_modules": list(TARGETS), "unet.peft_type": "LORA", "unet.lora_dropout": 0.0, "unet.bias": "none"}
        save_file(half(state), str(out / "loras" / f"{name}_adapter.safetensors"), metadata={"format": "pt", "lora_adapter_metadata": json.dumps(meta)})
    DDIMScheduler(**config.SCHEDULER).save_config(out / "scheduler")
    # Merges that are equally frequent may come in another order in another process: the tokenizer of the training is the one that counts.
    used = config.TRAIN_DIR / "tokenizer"
    for folder in ("tokenizer", "tokenizer_2"):
        shutil.copytree(used, out / folder, dirs_exist_ok=True) if text_states else tokenizer.save(out / folder)
