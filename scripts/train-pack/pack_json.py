"""Joins the two halves (picture-part.json, voice-part.json) into pack.json and hashes every file of the pack."""

import hashlib
import json
import sys
from pathlib import Path


def main():
    pack = Path(sys.argv[1])
    read = lambda name: json.loads((pack / name).read_text()) if (pack / name).exists() else {}
    picture, voice = read("picture-part.json"), read("voice-part.json")
    speakers = voice.get("characters", {})
    if isinstance(speakers, list):
        speakers = {c["name"]: c for c in speakers}
    characters = [{"speaker": f"S{i + 1}", "voice": {"seed": i + 1}, **c, **speakers.get(name, {})} for i, (name, c) in enumerate(picture.get("characters", {}).items())]
    files = {}
    for f in sorted(pack.rglob("*")):
        name = f.relative_to(pack).as_posix()
        wanted = f.suffix in (".safetensors", ".json", ".wav", ".txt") and "/" in name and not name.startswith(("samples/", "."))
        if f.is_file() and wanted:
            f.chmod(0o644)
            files[name] = {"sha256": hashlib.sha256(f.read_bytes()).hexdigest(), "bytes": f.stat().st_size}
    order = ["unet", "motion_adapter", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler", "dia", "dac"]
    components = {**picture.get("components", {}), **voice.get("components", {})}
    out = {
        "format": 1, "name": "toon", "version": "6.0.0", "license": "MIT",
        "description": "The built-in pack: small models of the SDXL, AnimateDiff, Dia and DAC architectures, trained from nothing on procedural cartoons and free synthetic voices.",
        "components": {k: components.get(k, k) for k in order if k in components or (pack / k).is_dir()},
        "picture": picture.get("picture"), "voice": voice.get("voice"), "characters": characters, "pair_suggestions": picture.get("pair_suggestions", []), "files": files,
    }
    (pack / "pack.json").write_text(json.dumps({k: v for k, v in out.items() if v is not None}, indent=1, ensure_ascii=False) + "\n")
    size = sum(f["bytes"] for f in files.values())
    print(f"{pack / 'pack.json'}: {len(files)} files, {size / 1e6:.2f} MB")
    if size > 64e6:
        sys.exit("the pack is larger than 64 MB")


if __name__ == "__main__":
    main()
