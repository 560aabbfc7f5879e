"""Runs one stage, or lists them: `python train.py STAGE`. gpu-picture.sh calls it for each stage in order."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import config
import state
from trainer import deadline, parallel

# Share of the whole time; the UNet takes all that is left but the evaluation's reserve.
FROM = bool(os.environ.get("PICTURE_FROM"))
ASIDE = bool(os.environ.get("PICTURE_SIDE_GPU"))  # judge and VAE have a GPU of their own
SHARE = {"import": 0.0, "rows": 0.0, "warm": 0.0, "text": 0.045, "vae": 0.18 if FROM else 0.23, "judge": 0.02 if FROM else 0.03, "latents": 0.11 if FROM else 0.10}
if ASIDE:
    SHARE |= {"vae": 0.75, "latents": 0.09}
RESERVE = 75 / 60


def main():
    name = sys.argv[1]
    mark = config.TRAIN_DIR / f"{name}.done"
    if mark.exists():
        return
    total = config.MINUTES * 60
    end = deadline()
    train_end = end - (RESERVE * 60 if not config.TINY else 15)
    if name == "text":
        from stage_text import run
    elif name == "vae":
        from stage_vae import run
    elif name == "import":
        from stage_import import run
    elif name == "rows":
        from stage_latents import rows_ahead as run
    elif name == "warm":
        from stage_unet import warm as run
    elif name == "judge":
        from judge import run
    elif name == "latents":
        from stage_latents import run
    elif name == "unet":
        from stage_unet import run
    else:
        sys.exit("stages: import text rows warm vae judge latents unet")
    left = train_end - time.time()
    seconds = SHARE[name] * total if name in SHARE else max(5.0, left)
    # A stage that starts late still gets a little, so that everything after it has something to stand on.
    limit = None if name in SHARE else max(train_end, time.time() + 5)
    state.log(f"== {name}: {seconds:.0f} s, {end - time.time():.0f} s to the end of the run")
    if name not in ("rows", "warm"):
        state.status(stage=name, seconds=round(seconds))
    run(seconds, limit)
    parallel.leave()
    if parallel.LEADS:
        mark.touch()


if __name__ == "__main__":
    main()
