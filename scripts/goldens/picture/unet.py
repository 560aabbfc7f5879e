"""UNetMotionModel built from UNet2DConditionModel + MotionAdapter, three shapes, plain and with two LoRAs."""

import json

import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from diffusers.models import UNetMotionModel

from seeded import fill, normal_like, packed, save, uniform

CASES = {
    # SDXL form: no attention at the first resolution, no motion in the middle, linear projections.
    "unet-sdxl": dict(
        unet=dict(in_channels=4, out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                  up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(16, 32), layers_per_block=2,
                  cross_attention_dim=24, attention_head_dim=(2, 4), transformer_layers_per_block=(1, 2),
                  use_linear_projection=True, norm_num_groups=8, addition_embed_type="text_time",
                  addition_time_embed_dim=6, projection_class_embeddings_input_dim=6 * 6 + 20),
        adapter=dict(block_out_channels=(16, 32), motion_layers_per_block=2, motion_num_attention_heads=2,
                     motion_norm_num_groups=8, motion_max_seq_length=8, use_motion_mid_block=False),
        runs=[dict(batch=2, frames=3, height=8, width=4, tokens=7), dict(batch=1, frames=8, height=4, width=8, tokens=14)],
        seed=21, half=False, lora=True,
    ),
    # SD 1.5 form: three resolutions, 1x1 convolutions as projections, motion in the middle.
    "unet-sd15": dict(
        unet=dict(in_channels=4, out_channels=4,
                  down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
                  block_out_channels=(8, 16, 24), layers_per_block=1, cross_attention_dim=10, attention_head_dim=4,
                  norm_num_groups=4, norm_eps=1e-4),
        adapter=dict(block_out_channels=(8, 16, 24), motion_layers_per_block=1, motion_num_attention_heads=4,
                     motion_norm_num_groups=4, motion_max_seq_length=24, use_motion_mid_block=True),
        runs=[dict(batch=2, frames=4, height=8, width=12, tokens=5)],
        seed=22, half=True, lora=False,
    ),
    # Uneven: layers per block and transformer depths differ, odd head sizes, deeper motion modules.
    "unet-uneven": dict(
        unet=dict(in_channels=5, out_channels=6, down_block_types=("CrossAttnDownBlock2D",) * 2,
                  up_block_types=("CrossAttnUpBlock2D",) * 2, block_out_channels=(20, 30), layers_per_block=(1, 2),
                  cross_attention_dim=18, attention_head_dim=(4, 6), transformer_layers_per_block=(2, 1),
                  use_linear_projection=True, norm_num_groups=5, addition_embed_type="text_time",
                  addition_time_embed_dim=4, projection_class_embeddings_input_dim=6 * 4 + 11),
        adapter=dict(block_out_channels=(20, 30), motion_layers_per_block=(1, 2), motion_num_attention_heads=(2, 5),
                     motion_transformer_layers_per_block=2, motion_transformer_layers_per_mid_block=(3,),
                     motion_norm_num_groups=5, motion_max_seq_length=16, use_motion_mid_block=True),
        runs=[dict(batch=2, frames=2, height=4, width=6, tokens=3)],
        seed=23, half=False, lora=True,
    ),
}


def config_of(model) -> dict:
    return json.loads(model.to_json_string())


def build(unet_fields: dict, adapter_fields: dict, seed: int, half: bool):
    unet = UNet2DConditionModel(**unet_fields).eval()
    adapter = MotionAdapter(**adapter_fields).eval()
    tensors = dict(unet=fill(unet, seed, half), adapter=fill(adapter, seed, half))
    model = UNetMotionModel.from_unet2d(unet, adapter).eval()
    if hasattr(unet, "add_embedding") and unet.add_embedding is not None:
        # from_unet2d forgets these four tensors (diffusers 0.42).
        model.add_embedding.load_state_dict(unet.add_embedding.state_dict())
    return model, unet, adapter, tensors


def forward(model, run: dict, fields: dict, seed: int) -> torch.Tensor:
    b, f, h, w, s = (run[k] for k in ("batch", "frames", "height", "width", "tokens"))
    sample = normal_like("sample", seed, [b, fields["in_channels"], f, h, w])
    text = normal_like("encoder_hidden_states", seed, [b, s, fields["cross_attention_dim"]])
    added = {}
    if fields.get("addition_embed_type"):
        width = fields["projection_class_embeddings_input_dim"] - 6 * fields["addition_time_embed_dim"]
        added = dict(text_embeds=normal_like("text_embeds", seed, [b, width]),
                     time_ids=torch.tensor([[1024.0, 768.0, 0.0, 16.0, 1024.0, 768.0]] * b))
    with torch.no_grad():
        return model(sample, torch.tensor(501.3), text.repeat_interleave(f, 0), added_cond_kwargs=added).sample


def lora_pair(path: str, shape: list[int], which: int, rank: int, seed: int):
    """A [rank, in] and B [out, rank] of one adapter."""
    a = uniform(f"{path}.A.{which}", seed, rank * shape[1]).reshape(rank, shape[1]) / shape[1] ** 0.5
    b = uniform(f"{path}.B.{which}", seed, shape[0] * rank).reshape(shape[0], rank)
    return a.astype("float32"), b.astype("float32")


LORA_SUFFIXES = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
LORA_RANKS = (3, 5)
LORA_WEIGHTS = (0.5, 0.5)


def merge_loras(model, seed: int) -> list[str]:
    """Adds two adapters to the weights. The second one skips every third module."""
    paths = [n for n, _ in model.named_modules() if n.endswith(LORA_SUFFIXES)]
    modules = dict(model.named_modules())
    for i, path in enumerate(sorted(paths)):
        target = modules[path].weight
        shape = [target.shape[0], target.shape[1]]
        for which, (rank, strength) in enumerate(zip(LORA_RANKS, LORA_WEIGHTS)):
            if which == 1 and i % 3 == 0:
                continue
            a, b = lora_pair(path, shape, which, rank, seed)
            delta = strength * (b.astype("float64") @ a.astype("float64"))
            with torch.no_grad():
                target.copy_((target.double() + torch.from_numpy(delta).reshape(target.shape)).float())
    return sorted(paths)


def main() -> None:
    for name, case in CASES.items():
        seed = case["seed"]
        model, unet, adapter, tensors = build(case["unet"], case["adapter"], seed, case["half"])
        outputs = [packed(forward(model, run, case["unet"], seed)) for run in case["runs"]]
        content = dict(unet=config_of(unet), adapter=config_of(adapter), seed=seed, half=case["half"], tensors=tensors,
                       runs=case["runs"], outputs=outputs)
        if case["lora"]:
            paths = merge_loras(model, seed)
            content["lora"] = dict(paths=paths, ranks=LORA_RANKS, weights=LORA_WEIGHTS,
                                   output=packed(forward(model, case["runs"][0], case["unet"], seed)))
        save(name, content)


if __name__ == "__main__":
    main()
