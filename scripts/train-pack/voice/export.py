"""Writes the voice half of the pack in transformers' layout: dia/, dac/ (fp16 safetensors) and
pack-part.json.

  python export.py --out DIR [--train DIR]      trained weights (EMA) of a training folder
  python export.py --out DIR --random           seeded random weights of the same shapes
  python export.py --from PACK --train DIR      a pack's weights into a training folder
"""

import argparse
import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import DacModel, DiaForConditionalGeneration, GenerationConfig

import config as c

SAMPLING = {"temperature": 1.0, "top_p": 0.9, "top_k": 20, "guidance_scale": 2.0}


def load_state(model: torch.nn.Module, path: Path) -> None:
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)


def start_from(model: torch.nn.Module, folder: Path) -> list[str]:
    """Loads what an exported component (folder/model.safetensors) has of the model; returns the missing names.
    Decoder layers that are missing as a whole start as the identity, so that a shallower export still speaks."""
    given, own = load_file(folder / "model.safetensors"), model.state_dict()
    kept = {k: v.float() for k, v in given.items() if k in own and own[k].shape == v.shape}
    missing = model.load_state_dict(kept, strict=False).missing_keys
    with torch.no_grad():
        for name in missing:
            if ".decoder.layers." in name and name.endswith(("o_proj.weight", "down_proj.weight")):
                model.get_parameter(name).zero_()
    return missing


def whole(model: torch.nn.Module, folder: Path) -> torch.nn.Module:
    """The model with an exported component's weights, all of which must be there."""
    if missing := start_from(model, folder):
        raise ValueError(f"{folder} lacks {missing[:3]}")
    return model


def import_pack(pack: Path, train: Path) -> None:
    """The other way: a pack's voice becomes the training folder's dac.pt, dia-ema.pt and sampling.json."""
    for model, name, file in ((DiaForConditionalGeneration(c.dia_config()), "dia", "dia-ema.pt"), (DacModel(c.dac_config()), "dac", "dac.pt")):
        torch.save(whole(model, pack / name).state_dict(), train / file)
    given = json.loads((pack / "dia" / "generation_config.json").read_text())
    (train / "sampling.json").write_text(json.dumps({k: given[k] for k in SAMPLING}))


def generation_config(sampling: dict) -> GenerationConfig:
    return GenerationConfig(
        do_sample=True,
        max_length=c.MAX_FRAMES,
        decoder_start_token_id=c.BOS,
        bos_token_id=c.BOS,
        eos_token_id=c.EOS,
        pad_token_id=c.PAD,
        **sampling,
    )


def voice_part(sampling: dict, metrics: dict) -> dict:
    default = lambda name: {"default": sampling[name]}
    return {
        "components": {"dia": "dia", "dac": "dac"},
        "voice": {
            "sample_rate": c.SAMPLE_RATE,
            "frame_rate": c.FRAME_RATE,
            "max_tokens": c.MAX_FRAMES,
            "guidance_scale": default("guidance_scale"),
            "temperature": default("temperature"),
            "top_p": default("top_p"),
            "top_k": default("top_k"),
            "chunk_seconds": {"min": 2, "max": 12},
            "characters_per_second": 14,
            "text": {"normaliser": "plain", "numbered_spaces": {"base": c.SPACE_BASE, "count": c.SPACE_COUNT}},
            "alignment_head": {"layer": c.ALIGNMENT_LAYER, "head": c.ALIGNMENT_HEAD},
            "speakers": {"S1": "temo", "S2": "felfel"},
            "pitch": c.PITCH,
        },
        "metrics": metrics,
    }


def write_model(model: torch.nn.Module, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().to(torch.float16).contiguous() for k, v in model.state_dict().items()}
    if any(not torch.isfinite(t).all() for t in tensors.values()):
        raise ValueError(f"{folder.name}: a weight is not finite in fp16")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.dtype = torch.float16
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)


def export(out: Path, train: Path | None) -> None:
    torch.manual_seed(0)
    dia = DiaForConditionalGeneration(c.dia_config())
    dac = DacModel(c.dac_config())
    sampling, metrics = dict(SAMPLING), {}
    if train:
        load_state(dia, train / "dia-ema.pt")
        load_state(dac, train / ("dac-refined.pt" if (train / "dac-refined.pt").exists() else "dac.pt"))
        for name, target in (("sampling.json", sampling), ("metrics.json", metrics)):
            if (train / name).exists():
                target.update(json.loads((train / name).read_text()))
    write_model(dia, out / "dia")
    write_model(dac, out / "dac")
    generation_config(sampling).save_pretrained(out / "dia")
    (out / "voice-part.json").write_text(json.dumps(voice_part(sampling, metrics), indent=2) + "\n")
    size = sum(f.stat().st_size for f in out.rglob("*.safetensors") if f.parent.name in ("dia", "dac"))
    print(f"exported to {out}: {size / 1e6:.2f} MB of weights")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--from", dest="pack", type=Path)
    parser.add_argument("--train", type=Path, default=Path(os.environ.get("TRAIN_DIR", "/tmp/train/voice")))
    parser.add_argument("--random", action="store_true")
    options = parser.parse_args()
    if options.pack:
        import_pack(options.pack, options.train)
    else:
        export(options.out, None if options.random else options.train)
