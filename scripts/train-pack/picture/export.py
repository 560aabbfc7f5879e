"""Writes the pack's picture half from whatever the run has so far: `python export.py --out DIR [--random]`."""

import argparse
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
import config
import models
from state import load

PICTURE = {
    "components": {k: k for k in ("unet", "motion_adapter", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")},
    "picture": {
        "family": "sdxl", "native": {"width": 256, "height": 256}, "sizes": [[256, 256]], "multiple_of": 64,
        "frames": {"min": 8, "max": 32, "default": 16, "window": 16, "overlap": 4}, "fps": {"default": 8}, "steps": {"default": 20, "max": 75},
        "guidance_scale": {"default": 2.5}, "scheduler_preset": "toon", "max_tokens": config.MAX_TOKENS,
        # To the text encoders it is an action like any other, and without a place all is in the park.
        "phrases": {"space walking": "floating in space", "space walk": "float in space", "spacewalking": "floating in space"},
    },
    "characters": {
        "temo": {
            "name": "temo", "label": "Temo", "lora": "loras/temo_adapter.safetensors", "adapter": "temo_adapter", "weight": 1.0, "pair_weight": 0.5, "triggers": ["temo"],
            "suggestions": [
                {"prompt": "temo character space walking with ultra HD detail", "dialogue": "[S1] Temo: Look, I can fly! The stars are so bright up here."},
                {"prompt": "temo in a raincoat dancing in the park", "dialogue": "[S1] Temo: I love the rain. Come and dance with me!"},
                {"prompt": "temo in school clothes pointing at the blackboard in the classroom", "dialogue": "[S1] Temo: Today we learn how rockets work."},
                {"prompt": "temo in a winter coat jumping on a snowy mountain", "dialogue": "[S1] Temo: So much snow! This is the best day ever."},
            ],
        },
        "felfel": {
            "name": "felfel", "label": "Felfel", "lora": "loras/felfel_adapter.safetensors", "adapter": "felfel_adapter", "weight": 1.0, "pair_weight": 0.5, "triggers": ["felfel"],
            "suggestions": [
                {"prompt": "felfel dancing in the kitchen in a chef uniform", "dialogue": "[S2] Felfel: Dinner is ready, and nobody gets to eat me!"},
                {"prompt": "felfel in adventure gear exploring the desert", "dialogue": "[S2] Felfel: The old map says the treasure is near."},
                {"prompt": "felfel swimming under the sea, coral reef", "dialogue": "[S2] Felfel: Hello little fish, which way is home?"},
                {"prompt": "felfel in a superhero costume in the city at night", "dialogue": "[S2] Felfel: This city is safe with me."},
            ],
        },
    },
    "pair_suggestions": [
        {"prompt": "temo and felfel characters working together on moon base, both characters clearly visible, temo in space suit on left, felfel in adventure gear on right, epic lighting",
         "dialogue": "[S1] Temo: Welcome to our lunar base, Felfel! [S2] Felfel: This technology is incredible, Temo!"},
        {"prompt": "temo and felfel exploring alien planet together, epic adventure", "dialogue": "[S1] Temo: Look at this incredible landscape! [S2] Felfel: Amazing discovery!"},
        {"prompt": "temo and felfel cheering on the beach", "dialogue": "[S1] Temo: We made it to the sea! [S2] Felfel: Last one in the water is a potato!"},
        {"prompt": "temo and felfel talking in the forest at night", "dialogue": "[S1] Temo: Did you hear that owl? [S2] Felfel: I think it said hello."},
    ],
}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--random", action="store_true", help="random weights of the final sizes")
    args = p.parse_args()
    torch.manual_seed(config.SEED)
    get = (lambda name: None) if args.random else load
    vae, text, unet = get("vae") or get("vae_start"), get("text"), get("unet") or get("unet_start")
    models.write_pack(args.out, vae and vae["ema"], text and (text["one"], text["two"]), unet and unet["ema"], vae.get("scaling", 1.0) if vae else 1.0)
    part = dict(PICTURE, trained={"vae": bool(vae), "text": bool(text), "unet": unet["step"] if unet else 0})
    (args.out / "picture-part.json").write_text(json.dumps(part, indent=1) + "\n")
    total = sum(f.stat().st_size for f in args.out.rglob("*") if f.suffix in (".safetensors", ".json") and f.parts[-2] not in ("dia", "dac"))
    print(f"wrote {args.out}: {total / 1e6:.2f} MB, vae {bool(vae)}, text {bool(text)}, unet step {unet['step'] if unet else 0}")


if __name__ == "__main__":
    main()
