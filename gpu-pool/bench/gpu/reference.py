"""Random SDXL + AnimateDiff weights at full size, and what diffusers makes of them on a GPU.

Writes the folder that unet.ts times and compares: unet/, motion_adapter/, vae/, text_encoder/ (weights and
config.json) and reference/*.bin (inputs and float32 outputs). Needs torch and diffusers 0.42.
Usage: python reference.py FOLDER [--frames 16] [--size 128] [--repeats 6]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
from diffusers.models import UNetMotionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

UNET = dict(
    sample_size=128, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(320, 640, 1280),
    layers_per_block=2, cross_attention_dim=2048, attention_head_dim=(5, 10, 20), transformer_layers_per_block=(1, 2, 10),
    addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
    use_linear_projection=True,
)
ADAPTER = dict(block_out_channels=(320, 640, 1280), motion_layers_per_block=2, motion_num_attention_heads=8,
               motion_max_seq_length=32, use_motion_mid_block=False)
VAE = dict(down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
           block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=1024)
CLIP = dict(vocab_size=49408, hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20,
            hidden_act="gelu", projection_dim=1280)


def save(folder: Path, model, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.contiguous().cpu() for k, v in model.state_dict().items()}
    save_file(state, folder / f"{name}.safetensors")
    config = model.to_json_string() if hasattr(model, "to_json_string") else model.config.to_json_string()
    (folder / "config.json").write_text(config)


def timed(label: str, repeats: int, run):
    for _ in range(2):
        out = run()
    torch.cuda.synchronize()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        out = run()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1000)
    peak = torch.cuda.max_memory_allocated() / 2**30
    print(f"torch {label}: min {min(times):.1f}, median {np.median(times):.1f} ms, peak {peak:.1f} GiB", flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=6)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_default_device("cuda")
    torch.set_default_dtype(torch.float16)
    reference = args.folder / "reference"
    reference.mkdir(parents=True, exist_ok=True)

    def put(name: str, tensor: torch.Tensor) -> None:
        tensor.detach().float().cpu().numpy().tofile(reference / f"{name}.bin")

    unet, adapter = UNet2DConditionModel(**UNET).eval(), MotionAdapter(**ADAPTER).eval()
    for module in adapter.modules():
        if hasattr(module, "proj_out") and isinstance(module.proj_out, torch.nn.Linear):
            torch.nn.init.normal_(module.proj_out.weight, std=0.02)
    save(args.folder / "unet", unet, "diffusion_pytorch_model")
    save(args.folder / "motion_adapter", adapter, "diffusion_pytorch_model")
    model = UNetMotionModel.from_unet2d(unet, adapter).eval().half()
    model.add_embedding.load_state_dict(unet.add_embedding.state_dict())
    f, s = args.frames, args.size
    x = torch.randn(2, 4, f, s, s).float().half()
    text, pooled = torch.randn(2, 77, 2048), torch.randn(2, 1280)
    ids = torch.tensor([[8.0 * s, 8.0 * s, 0, 0, 8.0 * s, 8.0 * s]] * 2, dtype=torch.float32)
    for name, tensor in (("sample", x), ("text", text), ("pooled", pooled), ("ids", ids)):
        put(name, tensor)
    del unet, adapter
    with torch.no_grad():
        per_frame = text.repeat_interleave(f, 0)
        added = dict(text_embeds=pooled, time_ids=ids)
        out = timed(f"unet [2,4,{f},{s},{s}]", args.repeats,
                    lambda: model(x, torch.tensor(501.0, dtype=torch.float32), per_frame, added_cond_kwargs=added).sample)
        put("unet", out)
        del model
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        vae = AutoencoderKL(**VAE).eval()
        save(args.folder / "vae", vae, "diffusion_pytorch_model")
        z = torch.randn(1, 4, s, s)
        put("latents", z)
        put("vae", timed("vae decode 1 frame", args.repeats, lambda: vae.decode(z).sample))
        put("image", (image := torch.rand(1, 3, 8 * s, 8 * s) * 2 - 1))
        put("vae_mean", vae.encode(image).latent_dist.mean)
        del vae
        clip = CLIPTextModelWithProjection(CLIPTextConfig(**CLIP)).eval().half().cuda()
        save(args.folder / "text_encoder_2", clip, "model")
        tokens = torch.randint(0, 49400, (2, 77))
        tokens[:, 20:] = 49407
        put("tokens", tokens)
        text_out = timed("bigG text encoder", args.repeats, lambda: clip(tokens, output_hidden_states=True))
        put("text_embeds", text_out.text_embeds)
        put("penultimate", text_out.hidden_states[-2])
    (reference / "sizes.json").write_text(json.dumps(dict(frames=f, size=s)))


if __name__ == "__main__":
    main()
