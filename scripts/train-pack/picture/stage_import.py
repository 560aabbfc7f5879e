"""Stage 0, only with PICTURE_FROM=<pack folder>: goes on from a pack's weights instead of from nothing.

Tokenizer and text encoders are taken as they are. UNet, motion modules and adapters are where training starts (fp16 to fp32 masters,
a new optimizer). PICTURE_VAE says what becomes of the VAE: `full` (the default) trains it further, `decoder` leaves the encoder and so
the latents alone, `keep` takes it as it is.
"""

import os
import shutil
from pathlib import Path

import config
import models
import state


def run(seconds, deadline):
    pack = Path(os.environ["PICTURE_FROM"])
    parts = models.read_pack(pack)
    shutil.copytree(pack / "tokenizer", config.TRAIN_DIR / "tokenizer", dirs_exist_ok=True)
    state.save("text", {"one": parts["text"][0], "two": parts["text"][1], "accuracy": {}, "step": 0})
    state.save("vae_start", {"ema": parts["vae"]})
    state.save("unet_start", {"ema": parts["unet"], "step": 0})
    (config.TRAIN_DIR / "text.done").touch()
    if os.environ.get("PICTURE_VAE", "full") == "keep":
        state.save("vae", {"ema": parts["vae"], "scaling": 1.0, "step": 0})
        (config.TRAIN_DIR / "vae.done").touch()
    state.log(f"goes on from {pack.name}: {sum(v.numel() for v in parts['unet'].values()) / 1e6:.2f} M parameters of the UNet, VAE {os.environ.get('PICTURE_VAE', 'full')}")
