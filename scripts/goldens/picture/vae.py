"""AutoencoderKL: different depths, widths, latent channels, with and without mid attention and quant convs."""

import torch
from diffusers import AutoencoderKL

from seeded import fill, normal_like, packed, save

CASES = {
    "vae-plain": (
        dict(block_out_channels=(8, 16, 24), layers_per_block=2, latent_channels=4, norm_num_groups=4),
        (2, 4, 6), 11, False,
    ),
    "vae-deep-float16": (
        dict(block_out_channels=(6, 6, 12, 18, 24), layers_per_block=1, latent_channels=7, norm_num_groups=3,
             mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False),
        (1, 2, 3), 12, True,
    ),
}


def main() -> None:
    for name, (fields, (n, h, w), seed, half) in CASES.items():
        depth = len(fields["block_out_channels"])
        config = dict(in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * depth,
                      up_block_types=("UpDecoderBlock2D",) * depth, act_fn="silu", **fields)
        model = AutoencoderKL(**config).eval()
        tensors = fill(model, seed, half)
        z = normal_like("latent_sample", seed, [n, fields["latent_channels"], h, w])
        scale = 2 ** (depth - 1)
        x = normal_like("sample", seed, [n, 3, h * scale, w * scale])
        with torch.no_grad():
            image = model.decode(z).sample
            posterior = model.encode(x).latent_dist
        save(name, dict(config=config, seed=seed, half=half, tensors=tensors,
                        latent_sample=list(z.shape), sample=list(x.shape),
                        outputs=dict(sample=packed(image), latent_mean=packed(posterior.mean),
                                     latent_log_variance=packed(posterior.logvar))))


if __name__ == "__main__":
    main()
