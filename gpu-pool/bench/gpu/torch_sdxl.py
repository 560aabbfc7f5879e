"""Random SDXL + AnimateDiff weights at full size, and what PyTorch makes of them on a GPU.

    python torch_sdxl.py FOLDER make                    weights and config.json of every model
    python torch_sdxl.py FOLDER eager --frames 16       a denoise step of diffusers, and inputs and output for sdxl.ts
    python torch_sdxl.py FOLDER exact --frames 16       the same step in float32, once
    python torch_sdxl.py FOLDER compile --frames 16     the same step under torch.compile
    python torch_sdxl.py FOLDER vae | clip

Each prints one JSON line per figure. Times are wall milliseconds of 6 runs after 2 warm-ups. Needs torch and
diffusers 0.42. `--tiny` makes small models, to try the scripts on a CPU.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
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
           block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=1024,
           scaling_factor=0.13025)
CLIP_L = dict(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
              hidden_act="quick_gelu", projection_dim=768)
CLIP_G = dict(vocab_size=49408, hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20,
              hidden_act="gelu", projection_dim=1280)
TINY = dict(
    UNET=dict(block_out_channels=(64, 64, 128), cross_attention_dim=96, attention_head_dim=(2, 2, 4),
              transformer_layers_per_block=(1, 1, 1), projection_class_embeddings_input_dim=64 + 6 * 256),
    ADAPTER=dict(block_out_channels=(64, 64, 128)),
    VAE=dict(block_out_channels=(64, 64, 64, 64), sample_size=128),
    CLIP_L=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, projection_dim=32),
    CLIP_G=dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, projection_dim=64),
)


def config(name: str, tiny: bool) -> dict:
    return {**globals()[name], **(TINY[name] if tiny else {})}


def say(**figures) -> None:
    print(json.dumps(figures), flush=True)


def sync() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def timed(run, repeats: int, warm: int = 2, **label):
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    for _ in range(warm):
        out = run()
    sync()
    first = time.perf_counter() - start
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        out = run()
        sync()
        times.append((time.perf_counter() - start) * 1000)
    peak = torch.cuda.max_memory_allocated() / 2**30 if DEVICE == "cuda" else 0
    say(**label, min=round(min(times), 2), median=round(float(np.median(times)), 2), warmSeconds=round(first, 1), peakGiB=round(peak, 2))
    return out


def save(folder: Path, model) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = "model" if folder.name.startswith("text") else "diffusion_pytorch_model"
    save_file({k: v.contiguous().cpu() for k, v in model.state_dict().items()}, folder / f"{name}.safetensors")
    text = model.to_json_string() if hasattr(model, "to_json_string") else model.config.to_json_string()
    (folder / "config.json").write_text(text)


def load(folder: Path, model):
    name = "model" if folder.name.startswith("text") else "diffusion_pytorch_model"
    model.load_state_dict(load_file(folder / f"{name}.safetensors", device=DEVICE))
    return model.eval()


def make(root: Path, tiny: bool) -> None:
    from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    adapter = MotionAdapter(**config("ADAPTER", tiny))
    for module in adapter.modules():
        # diffusers starts motion modules at zero, which would hide what they compute.
        if hasattr(module, "proj_out") and isinstance(module.proj_out, torch.nn.Linear):
            torch.nn.init.normal_(module.proj_out.weight, std=0.02)
    save(root / "motion_adapter", adapter.half())
    save(root / "unet", UNet2DConditionModel(**config("UNET", tiny)).half())
    save(root / "vae", AutoencoderKL(**config("VAE", tiny)).half())
    save(root / "text_encoder", CLIPTextModel(CLIPTextConfig(**config("CLIP_L", tiny))).half())
    save(root / "text_encoder_2", CLIPTextModelWithProjection(CLIPTextConfig(**config("CLIP_G", tiny))).half())


def motion_unet(root: Path, tiny: bool):
    from diffusers import MotionAdapter, UNet2DConditionModel
    from diffusers.models import UNetMotionModel

    unet = load(root / "unet", UNet2DConditionModel(**config("UNET", tiny)))
    adapter = load(root / "motion_adapter", MotionAdapter(**config("ADAPTER", tiny)))
    model = UNetMotionModel.from_unet2d(unet, adapter).eval().to(torch.get_default_dtype())
    model.add_embedding.load_state_dict(unet.add_embedding.state_dict())
    return model


def folder_of(root: Path, frames: int) -> Path:
    folder = root / "reference" / str(frames)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def put(folder: Path, name: str, tensor: torch.Tensor) -> None:
    tensor.detach().float().cpu().numpy().tofile(folder / f"{name}.bin")


def step_inputs(args) -> dict:
    """The same numbers for every command: from a seed, and exact in half precision."""
    f, s = args.frames, args.size
    cross, pooled = (96, 64) if args.tiny else (2048, 1280)
    draw = lambda *shape: torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), device="cpu", dtype=torch.float32).half()
    ids = torch.tensor([[8.0 * s, 8.0 * s, 0, 0, 8.0 * s, 8.0 * s]] * 2, dtype=torch.float32)
    return dict(sample=draw(2, 4, f, s, s), text=draw(2, 77, cross), pooled=draw(2, pooled), ids=ids)


def step(model, inputs: dict):
    dtype = next(model.parameters()).dtype
    x, text, pooled = (inputs[k].to(DEVICE, dtype) for k in ("sample", "text", "pooled"))
    per_frame = text.repeat_interleave(x.shape[2], 0)
    added = dict(text_embeds=pooled, time_ids=inputs["ids"].to(DEVICE))
    timestep = torch.tensor(501.0, dtype=torch.float32, device=DEVICE)
    return lambda: model(x, timestep, per_frame, added_cond_kwargs=added, return_dict=False)[0]


def eager(args) -> None:
    inputs, folder = step_inputs(args), folder_of(args.folder, args.frames)
    for name, tensor in inputs.items():
        put(folder, name, tensor)
    (folder / "sizes.json").write_text(json.dumps(dict(frames=args.frames, size=args.size)))
    run = step(motion_unet(args.folder, args.tiny), inputs)
    out = timed(run, args.repeats, section="step", who="diffusers eager", frames=args.frames)
    put(folder, "unet", out)


def exact(args) -> None:
    """In float32, with attention as plain products: the fused kernels for float32 are not what is to be trusted here."""
    from diffusers.models.attention_processor import AttnProcessor

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    folder = folder_of(args.folder, args.frames)
    model, inputs = motion_unet(args.folder, args.tiny).float(), step_inputs(args)
    half = torch.from_numpy(np.fromfile(folder / "unet.bin", dtype=np.float32)).to(DEVICE, torch.float32)
    fused = step(model, inputs)()
    model.set_attn_processor(AttnProcessor())
    # A row at a time: the products of attention take 11 GiB each.
    out = torch.cat([step(model, {name: value[i : i + 1] for name, value in inputs.items()})() for i in range(2)])
    put(folder, "exact", out)
    distance = lambda x: float((x.reshape(out.shape) - out).norm() / out.norm())
    say(section="step error", who="diffusers eager", frames=args.frames, fromFloat32=distance(half), fusedFloat32=distance(fused))


def compiled(args) -> None:
    model = motion_unet(args.folder, args.tiny).to(memory_format=torch.channels_last)
    run = step(model, step_inputs(args))
    fast = torch.compile(run)
    start = time.perf_counter()
    fast()
    sync()
    say(section="compile", frames=args.frames, seconds=round(time.perf_counter() - start, 1))
    # Two of these may compile side by side; they are timed one after the other, when nobody compiles.
    (args.folder / f".compiled-{os.getpid()}").touch()
    until = time.perf_counter() + args.wait
    while len(list(args.folder.glob(".compiled-*"))) < args.peers and time.perf_counter() < until:
        time.sleep(0.5)
    import fcntl

    with open(args.folder / ".gpu-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        timed(fast, args.repeats, section="step", who="torch.compile", frames=args.frames)


def vae(args) -> None:
    from diffusers import AutoencoderKL

    model, folder = load(args.folder / "vae", AutoencoderKL(**config("VAE", args.tiny))), folder_of(args.folder, 1)
    for count in (1, 4):
        z = torch.randn(count, 4, args.size, args.size, generator=torch.Generator().manual_seed(count), device="cpu", dtype=torch.float32).half()
        put(folder, f"latents{count}", z)
        run = lambda: model.decode(z.to(DEVICE, next(model.parameters()).dtype)).sample
        out = timed(run, args.repeats, section="vae decode", who="diffusers eager", frames=count)
        put(folder, f"vae{count}", out[-1:])
    image = torch.rand(1, 3, 8 * args.size, 8 * args.size, generator=torch.Generator().manual_seed(3), device="cpu", dtype=torch.float32) * 2 - 1
    put(folder, "image", image)
    run = lambda: model.encode(image.to(DEVICE, next(model.parameters()).dtype)).latent_dist.mean
    put(folder, "vae_mean", timed(run, args.repeats, section="vae encode", who="diffusers eager", frames=1))
    if DEVICE == "cuda":
        put(folder, "exact1", model.float().decode(torch.from_numpy(np.fromfile(folder / "latents1.bin", dtype=np.float32)).reshape(1, 4, args.size, args.size).to(DEVICE)).sample)
    (folder / "sizes.json").write_text(json.dumps(dict(frames=1, size=args.size)))


def clip(args) -> None:
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    folder = folder_of(args.folder, 1)
    model = load(args.folder / "text_encoder_2", CLIPTextModelWithProjection(CLIPTextConfig(**config("CLIP_G", args.tiny))))
    tokens = torch.randint(0, 49400, (2, 77), generator=torch.Generator().manual_seed(4), device="cpu")
    tokens[:, 20:] = 49407
    put(folder, "tokens", tokens)
    ids = tokens.to(DEVICE)
    out = timed(lambda: model(ids, output_hidden_states=True), args.repeats, section="text encoder bigG", who="transformers eager")
    put(folder, "text_embeds", out.text_embeds)
    put(folder, "penultimate", out.hidden_states[-2])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("make", "eager", "exact", "compile", "vae", "clip"))
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--peers", type=int, default=1, help="compile: how many of these run side by side")
    parser.add_argument("--wait", type=float, default=240, help="compile: seconds to wait for the others")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_default_device(DEVICE)
    if DEVICE == "cuda":
        torch.set_default_dtype(torch.float16)
    with torch.no_grad():
        if args.what == "make":
            make(args.folder, args.tiny)
        else:
            dict(eager=eager, exact=exact, compile=compiled, vae=vae, clip=clip)[args.what](args)


if __name__ == "__main__":
    main()
