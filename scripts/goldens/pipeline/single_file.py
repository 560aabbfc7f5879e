"""Which diffusers tensor every tensor of a single-file (SGM/LDM) checkpoint becomes, by diffusers 0.42's own converters.

Checkpoint names are made here from the model's structure; each tensor holds its own number, so that the converters show
where it goes.
"""
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

import runs

SDXL = dict(block_out_channels=(16, 32, 32), layers_per_block=2, norm_num_groups=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16, attention_head_dim=(2, 4, 4), transformer_layers_per_block=(1, 1, 2), use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=64)
SD15 = dict(block_out_channels=(16, 16, 16, 16), layers_per_block=2, norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4)
VAE = dict(block_out_channels=(8, 8, 16, 16), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, layers_per_block=2, norm_num_groups=4)

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
VAE_PARTS = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "conv_shortcut": "nin_shortcut"}


def ldm_unet(model):
    """Checkpoint name -> shape, by walking the model."""
    out = {}
    layers = model.config.layers_per_block
    fixed = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0", "conv_out": "out.2"}
    for key, value in model.state_dict().items():
        path, leaf = key.rsplit(".", 1)
        if path in fixed:
            name = fixed[path]
        else:
            parts = path.split(".")
            if parts[0] == "mid_block":
                index = 1 if parts[1] == "attentions" else 2 * int(parts[2])
                base, rest, kind = f"middle_block.{index}", ".".join(parts[3:]), parts[1]
            else:
                block, kind, layer, rest = int(parts[1]), parts[2], int(parts[3]), ".".join(parts[4:])
                slot = block * (layers + 1) + layer
                if parts[0] == "down_blocks":
                    base = {"resnets": f"input_blocks.{slot + 1}.0", "attentions": f"input_blocks.{slot + 1}.1", "downsamplers": f"input_blocks.{(block + 1) * (layers + 1)}.0"}[kind]
                    rest = rest.replace("conv", "op") if kind == "downsamplers" else rest
                else:
                    attends = hasattr(model.up_blocks[block], "attentions")
                    base = {"resnets": f"output_blocks.{slot}.0", "attentions": f"output_blocks.{slot}.1", "upsamplers": f"output_blocks.{block * (layers + 1) + layers}.{2 if attends else 1}"}[kind]
            if kind == "resnets":
                rest = RESNET[rest]
            name = f"{base}.{rest}"
        out[f"model.diffusion_model.{name}.{leaf}"] = list(value.shape)
    return out


def ldm_vae(model):
    out = {}
    blocks = len(model.config.block_out_channels)
    for key, value in model.state_dict().items():
        path, leaf = key.rsplit(".", 1)
        parts = path.split(".")
        shape = list(value.shape)
        if len(parts) > 2 and parts[1] == "mid_block":
            if parts[2] == "attentions":
                rest = ".".join(parts[4:])
                name = f"{parts[0]}.mid.attn_1.{VAE_PARTS[rest]}"
                shape = shape + [1, 1] if len(shape) == 2 else shape
            else:
                name = f"{parts[0]}.mid.block_{int(parts[3]) + 1}." + VAE_PARTS.get(parts[4], parts[4])
        elif len(parts) > 3 and parts[1] in ("down_blocks", "up_blocks"):
            side = "down" if parts[1] == "down_blocks" else "up"
            index = int(parts[2]) if side == "down" else blocks - 1 - int(parts[2])
            if parts[3] == "resnets":
                name = f"{parts[0]}.{side}.{index}.block.{parts[4]}." + VAE_PARTS.get(parts[5], parts[5])
            else:
                name = f"{parts[0]}.{side}.{index}.{side}sample.conv"
        else:
            name = path.replace("conv_norm_out", "norm_out")
        out[f"first_stage_model.{name}.{leaf}"] = shape
    return out


def open_clip(layers, width, projection, prefix):
    out = {f"{prefix}token_embedding.weight": [50, width], f"{prefix}positional_embedding": [8, width], f"{prefix}ln_final.weight": [width], f"{prefix}ln_final.bias": [width], f"{prefix}text_projection": [width, projection], f"{prefix}logit_scale": []}
    for i in range(layers):
        r = f"{prefix}transformer.resblocks.{i}"
        out |= {f"{r}.ln_1.weight": [width], f"{r}.ln_1.bias": [width], f"{r}.ln_2.weight": [width], f"{r}.ln_2.bias": [width], f"{r}.attn.in_proj_weight": [3 * width, width], f"{r}.attn.in_proj_bias": [3 * width], f"{r}.attn.out_proj.weight": [width, width], f"{r}.attn.out_proj.bias": [width], f"{r}.mlp.c_fc.weight": [4 * width, width], f"{r}.mlp.c_fc.bias": [4 * width], f"{r}.mlp.c_proj.weight": [width, 4 * width], f"{r}.mlp.c_proj.bias": [width]}
    return out


def tagged(shapes):
    out = {}
    for i, (name, shape) in enumerate(shapes.items()):
        value = torch.full(shape or [1], float(i))
        if name.endswith(("in_proj_weight", "in_proj_bias")):
            third = shape[0] // 3
            value = torch.cat([torch.full([third, *shape[1:]], i + part / 4) for part in range(3)])
        out[name] = value
    return out


def pairs(shapes, converted, expected=None):
    names = list(shapes)
    if expected is not None:
        assert set(converted) == set(expected), sorted(set(converted) ^ set(expected))[:6]
    return sorted([names[int(value.flatten()[0])], int(round((float(value.flatten()[0]) % 1) * 4)), key] for key, value in converted.items())


def main(out):
    result = {}
    for family, config in [("sdxl", SDXL), ("sd15", SD15)]:
        model = UNet2DConditionModel(**config)
        shapes = ldm_unet(model)
        result[f"unet-{family}"] = {"pairs": pairs(shapes, convert_ldm_unet_checkpoint(tagged(shapes), dict(model.config)), model.state_dict())}
    vae = AutoencoderKL(**VAE)
    shapes = ldm_vae(vae)
    result["vae"] = {"pairs": pairs(shapes, convert_ldm_vae_checkpoint(tagged(shapes), dict(vae.config)), vae.state_dict())}
    config = CLIPTextConfig(vocab_size=50, hidden_size=8, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=8, projection_dim=8)
    text = CLIPTextModelWithProjection(config)
    shapes = open_clip(2, 8, 8, "conditioner.embedders.1.model.")
    result["text_encoder_2"] = {"shapes": shapes, "pairs": pairs(shapes, convert_open_clip_checkpoint(text, tagged(shapes), "conditioner.embedders.1.model."), [k for k in text.state_dict() if "position_ids" not in k])}
    plain = [k.removeprefix("text_model.") for k in text.state_dict() if k.startswith("text_model.")]
    for name, prefix in [("text_encoder-sdxl", "conditioner.embedders.0.transformer.text_model."), ("text_encoder-sd15", "cond_stage_model.transformer.text_model.")]:
        shapes = {prefix + k: list(text.state_dict()["text_model." + k].shape) for k in plain}
        result[name] = {"pairs": pairs(shapes, convert_ldm_clip_checkpoint(tagged(shapes)))}
    tiny = UNet2DConditionModel(**runs.UNET)
    shapes = ldm_unet(tiny)
    result["tiny-unet"] = {"pairs": pairs(shapes, convert_ldm_unet_checkpoint(tagged(shapes), dict(tiny.config)), tiny.state_dict())}
    tiny = AutoencoderKL(**runs.VAE)
    shapes = ldm_vae(tiny)
    result["tiny-vae"] = {"pairs": pairs(shapes, convert_ldm_vae_checkpoint(tagged(shapes), dict(tiny.config)), tiny.state_dict())}
    (out / "single-file.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
    print({k: len(v["pairs"]) for k, v in result.items()})

