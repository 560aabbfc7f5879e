"""Writes all fixtures of the picture graphs."""

import clip
import unet
import vae

for part in (clip, vae, unet):
    part.main()
