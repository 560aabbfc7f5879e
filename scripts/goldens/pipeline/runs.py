"""Golden latents of whole AnimateDiff-SDXL runs on a tiny model (diffusers 0.42, transformers 5.17).

Writes the model as a recipe (configs, tensor shapes and seeds; the test draws the same weights with its own copy of
torch's generator), the tokenizer, and per case the settings and the final latents.
"""
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AnimateDiffPipeline,
    AnimateDiffSDXLPipeline,
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

OUT = Path(__file__).resolve().parents[3] / "gpu-pool/test-fixtures/pipeline"
MAX_LENGTH = 24

CLIP = dict(
    vocab_size=600, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
    max_position_embeddings=MAX_LENGTH, bos_token_id=598, eos_token_id=599, pad_token_id=599,
)
UNET = dict(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=4,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    cross_attention_dim=32, attention_head_dim=(2, 4), transformer_layers_per_block=1, use_linear_projection=True,
    addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=8 * 6 + 16,
)
# The SD 1.5 form: one text encoder, convolutions as projections, a motion module in the middle.
UNET_SD15 = dict(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    cross_attention_dim=16, attention_head_dim=2,
)
MOTION = dict(
    block_out_channels=(16, 32), motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=4,
    motion_max_seq_length=8, use_motion_mid_block=False,
)
VAE = dict(
    block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    latent_channels=4, layers_per_block=1, norm_num_groups=4, sample_size=16, scaling_factor=0.5,
)
SCALED = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)


# transformers 5.17 has no inner `text_model` any more, which diffusers 0.42 still asks for when it skips layers.
CLIPTextModel.text_model = property(lambda self: self)

SDXL_CASES = [
    dict(name="two adapters at one half each", scheduler=dict(_class_name="EulerDiscreteScheduler", **SCALED, timestep_spacing="leading", steps_offset=1), adapters={"temo": 0.5, "felfel": 0.5}, prompt="temo and felfel dance on the moon base", negative_prompt="the rain", steps=8, guidance_scale=5.0, guidance_rescale=0.0, clip_skip=0, seed=1),
    dict(name="no negative prompt, rescaled guidance, v-prediction", scheduler=dict(_class_name="DDIMScheduler", **SCALED, prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False), adapters={"temo": 1.0}, prompt="temo in the moon", negative_prompt=None, steps=8, guidance_scale=4.0, guidance_rescale=0.7, clip_skip=0, seed=2),
    dict(name="empty negative prompt, no adapter", scheduler=dict(_class_name="DPMSolverMultistepScheduler", **SCALED, use_karras_sigmas=True), adapters={}, prompt="the base", negative_prompt="", steps=8, guidance_scale=7.5, guidance_rescale=0.0, clip_skip=0, seed=3),
    # diffusers leaves clip skip out for a negative prompt that is given, so this case gives none.
    dict(name="clip skip", scheduler=dict(_class_name="DDIMScheduler", **SCALED, clip_sample=False, steps_offset=1), adapters={"temo": 0.7}, prompt="temo dance and dance", negative_prompt=None, steps=8, guidance_scale=3.0, guidance_rescale=0.0, clip_skip=1, seed=5),
    dict(name="few noisy steps without guidance", scheduler=dict(_class_name="LCMScheduler", **SCALED), adapters={"felfel": 0.8}, prompt="felfel on the base", negative_prompt=None, steps=4, guidance_scale=1.0, guidance_rescale=0.0, clip_skip=0, seed=4),
    dict(name="two passes of FreeInit", scheduler=dict(_class_name="DDIMScheduler", **SCALED, clip_sample=False, timestep_spacing="trailing", prediction_type="v_prediction"), adapters={}, prompt="the moon", negative_prompt=None, steps=4, guidance_scale=3.0, guidance_rescale=0.0, clip_skip=0, seed=6, free_init=2),
]
LOCON_CASES = [
    dict(name="convolutions, time projections and attention", scheduler=dict(_class_name="DDIMScheduler", **SCALED, clip_sample=False), adapters={"locon": 0.8}, prompt="locon on the moon", negative_prompt="the rain", steps=8, guidance_scale=4.0, guidance_rescale=0.0, clip_skip=0, seed=11),
]
SD15_CASES = [
    dict(name="two adapters, empty negative prompt", scheduler=dict(_class_name="DDIMScheduler", beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, timestep_spacing="linspace", steps_offset=1), adapters={"temo": 0.5, "felfel": 0.5}, prompt="temo and felfel dance on the moon base", negative_prompt="", steps=8, guidance_scale=7.5, guidance_rescale=0.0, clip_skip=0, seed=1),
    dict(name="no negative prompt, which is encoded as empty", scheduler=dict(_class_name="EulerDiscreteScheduler", **SCALED), adapters={}, prompt="the base", negative_prompt=None, steps=8, guidance_scale=4.0, guidance_rescale=0.0, clip_skip=0, seed=2),
    # diffusers leaves clip skip out for negative prompts, so this case has no guidance.
    dict(name="clip skip", scheduler=dict(_class_name="DDIMScheduler", **SCALED, clip_sample=False), adapters={"temo": 1.0}, prompt="temo in the moon", negative_prompt=None, steps=8, guidance_scale=1.0, guidance_rescale=0.0, clip_skip=1, seed=3),
]


def tokenizer_files(folder):
    """A CLIP-form byte BPE with a handful of merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {c: i for i, c in enumerate(alphabet)}
    for c in alphabet:
        vocab[c + "</w>"] = len(vocab)
    merges = []
    for word in ["temo", "felfel", "moon", "base", "and", "on", "the", "in", "dance"]:
        parts = list(word[:-1]) + [word[-1] + "</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
                vocab.setdefault("".join(pair), len(vocab))
            parts = ["".join(pair)] + parts[2:]
    while len(vocab) < 598:
        vocab[f"<unused{len(vocab)}>"] = len(vocab)
    vocab["<|startoftext|>"] = 598
    vocab["<|endoftext|>"] = 599
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<|endoftext|>", continuing_subword_prefix="", end_of_word_suffix="</w>", fuse_unk=False))
    tok.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    pattern = Regex(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.RobertaProcessing(("<|endoftext|>", 599), ("<|startoftext|>", 598), trim_offsets=False, add_prefix_space=False)
    tok.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    folder.mkdir(parents=True, exist_ok=True)
    data = json.loads(tok.to_str())
    (folder / "tokenizer.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
    config = dict(tokenizer_class="CLIPTokenizer", model_max_length=MAX_LENGTH, bos_token="<|startoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>", pad_token="<|endoftext|>")
    (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
    return tok


def draw(spec, seed):
    """Tensors of a recipe, in order, from one generator."""
    g = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=g) * std + mean for name, shape, mean, std in spec}


def recipe(module):
    spec = []
    for name, value in module.state_dict().items():
        shape = list(value.shape)
        if "position_ids" in name or not value.is_floating_point() or name.endswith("pos_embed.pe"):
            continue
        norm = "norm" in name.lower()
        if len(shape) == 1:
            mean, std = (1.0, 0.1) if norm and name.endswith("weight") else (0.0, 0.1)
        elif "embedding.weight" in name and "time" not in name:
            mean, std = 0.0, 0.5
        else:
            mean, std = 0.0, round(0.8 / float(np.sqrt(np.prod(shape[1:]))), 6)
        spec.append([name, shape, mean, std])
    return spec


def fill(module, seed):
    spec = recipe(module)
    missing = module.load_state_dict(draw(spec, seed), strict=False)
    assert not missing.unexpected_keys, missing
    return spec


def lora_recipe(unet, text_encoder, rank, with_text):
    spec = []
    for prefix, module in [("unet", unet)] + ([("text_encoder", text_encoder)] if with_text else []):
        for name, child in module.named_modules():
            if not isinstance(child, torch.nn.Linear) or "motion_modules" in name:
                continue
            wanted = "transformer_blocks" in name if prefix == "unet" else "layers" in name
            if not wanted:
                continue
            spec.append([f"{prefix}.{name}.lora_A.weight", [rank, child.in_features], 0.0, 0.2])
            spec.append([f"{prefix}.{name}.lora_B.weight", [child.out_features, rank], 0.0, 0.2])
    return spec


def locon_recipe(unet, rank):
    """Convolutions, time projections and attention of a UNet."""
    spec = []
    for name, child in unet.named_modules():
        base = f"unet.{name}"
        if "motion_modules" in name:
            continue
        if isinstance(child, torch.nn.Conv2d) and ("resnets" in name or "samplers" in name):
            spec.append([f"{base}.lora_A.weight", [rank, child.in_channels, *child.kernel_size], 0.0, 0.1])
            spec.append([f"{base}.lora_B.weight", [child.out_channels, rank, 1, 1], 0.0, 0.2])
        elif isinstance(child, torch.nn.Linear) and name.endswith(("time_emb_proj", "attn1.to_q", "attn2.to_v")):
            spec.append([f"{base}.lora_A.weight", [rank, child.in_features], 0.0, 0.2])
            spec.append([f"{base}.lora_B.weight", [child.out_features, rank], 0.0, 0.2])
    return spec


def lora_metadata(lora):
    prefixes = ["unet"] + (["text_encoder"] if any(t[0].startswith("text_encoder") for t in lora["tensors"]) else [])
    meta = {}
    for p in prefixes:
        targets = sorted({t[0].removeprefix(p + ".").rsplit(".lora_", 1)[0] for t in lora["tensors"] if t[0].startswith(p + ".")})
        meta |= {f"{p}.r": lora["rank"], f"{p}.lora_alpha": lora["alpha"], f"{p}.target_modules": targets, f"{p}.peft_type": "LORA", f"{p}.lora_dropout": 0.0, f"{p}.bias": "none"}
    return meta


def generate(family, cases):
    tokenizer = CLIPTokenizer.from_pretrained(OUT / "tokenizer")
    xl = family == "sdxl"
    text = CLIPTextModel(CLIPTextConfig(**CLIP)).eval()
    unet = UNet2DConditionModel(**(UNET if xl else UNET_SD15)).eval()
    motion = MotionAdapter(**{**MOTION, "use_motion_mid_block": not xl}).eval()
    vae = AutoencoderKL(**VAE).eval()
    parts = dict(text_encoder=text, unet=unet, motion_adapter=motion, vae=vae)
    if xl:
        parts["text_encoder_2"] = CLIPTextModelWithProjection(CLIPTextConfig(**CLIP, projection_dim=16)).eval()
    weights = {name: {"seed": 100 + i, "tensors": fill(part, 100 + i)} for i, (name, part) in enumerate(parts.items())}
    loras = {
        "temo": {"seed": 7, "alpha": 2, "rank": 4, "tensors": lora_recipe(unet, text, 4, True)},
        "felfel": {"seed": 8, "alpha": 16, "rank": 8, "tensors": lora_recipe(unet, text, 8, False)},
        **({"locon": {"seed": 9, "alpha": 4, "rank": 4, "tensors": locon_recipe(unet, 4)}} if xl else {}),
    }
    configs = {name: json.loads(part.config.to_json_string() if name.startswith("text") else part.to_json_string()) for name, part in parts.items()}
    shared = dict(vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, motion_adapter=motion, scheduler=DDIMScheduler(**SCALED))
    if xl:
        pipe = AnimateDiffSDXLPipeline(**shared, text_encoder_2=parts["text_encoder_2"], tokenizer_2=tokenizer)
        # diffusers #6721: from_unet2d forgets these four tensors.
        pipe.unet.add_embedding.load_state_dict(unet.add_embedding.state_dict())
    else:
        pipe = AnimateDiffPipeline(**shared)
    pipe.set_progress_bar_config(disable=True)
    with tempfile.TemporaryDirectory() as tmp:
        for name, lora in loras.items():
            meta = lora_metadata(lora)
            lora["metadata"] = {k: v for k, v in meta.items() if not k.endswith("target_modules")}
            save_file({k: v.contiguous() for k, v in draw(lora["tensors"], lora["seed"]).items()}, f"{tmp}/{name}.safetensors", metadata={"lora_adapter_metadata": json.dumps(meta), "format": "pt"})
        results = {name: run_cases(pipe, tmp, part) for name, part in cases.items()}
    (OUT / f"{family}.json").write_text(json.dumps({"configs": configs, "weights": weights, "loras": loras}, separators=(",", ":")) + "\n")
    for name, result in results.items():
        (OUT / f"{name}-cases.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tokenizer_files(OUT / "tokenizer")
    generate("sdxl", {"sdxl": SDXL_CASES, "sdxl-locon": LOCON_CASES})
    generate("sd15", {"sd15": SD15_CASES})


def run_cases(pipe, folder, cases):
    classes = dict(EulerDiscreteScheduler=EulerDiscreteScheduler, DDIMScheduler=DDIMScheduler, DPMSolverMultistepScheduler=DPMSolverMultistepScheduler, LCMScheduler=LCMScheduler)
    out = []
    for i, case in enumerate(cases):
        config = dict(case["scheduler"])
        pipe.scheduler = classes[config.pop("_class_name")](**config)
        pipe.unload_lora_weights()
        for name in case["adapters"]:
            pipe.load_lora_weights(folder, weight_name=f"{name}.safetensors", adapter_name=name)
        if case["adapters"]:
            pipe.set_adapters(list(case["adapters"]), list(case["adapters"].values()))
        if case.get("free_init"):
            pipe.enable_free_init(num_iters=case["free_init"])
        with torch.no_grad():
            latents = pipe(
                prompt=case["prompt"], negative_prompt=case["negative_prompt"], num_frames=8, height=16, width=16,
                num_inference_steps=case["steps"], guidance_scale=case["guidance_scale"],
                **({"guidance_rescale": case["guidance_rescale"]} if isinstance(pipe, AnimateDiffSDXLPipeline) else {}),
                clip_skip=case["clip_skip"] or None, generator=torch.Generator().manual_seed(case["seed"]), output_type="latent",
            ).frames
            frames = None
            if i == 0:
                video = pipe.decode_latents(latents)[0].permute(1, 0, 2, 3)
                frames = ((video / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)[:2].permute(0, 2, 3, 1).flatten().tolist()
        if case.get("free_init"):
            pipe.disable_free_init()
        assert torch.isfinite(latents).all()
        print(case["name"], tuple(latents.shape), float(latents.std()))
        values = [float(np.format_float_positional(np.float32(v), unique=True)) for v in latents.flatten().tolist()]
        out.append({**case, "latents": values, "frames": frames})
    return out

