"""CLIP text encoders: two with random configs of transformers, one in float16."""

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from seeded import fill, packed, save, uniform

CASES = {
    "clip-legacy-eos": (
        CLIPTextModel,
        dict(vocab_size=99, hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
             max_position_embeddings=12, hidden_act="quick_gelu", bos_token_id=97, eos_token_id=2, pad_token_id=1),
        98, 1, False,
    ),
    "clip-projection": (
        CLIPTextModelWithProjection,
        dict(vocab_size=80, hidden_size=30, intermediate_size=50, num_hidden_layers=4, num_attention_heads=3,
             max_position_embeddings=9, hidden_act="gelu", projection_dim=17, layer_norm_eps=1e-4,
             bos_token_id=70, eos_token_id=60, pad_token_id=0),
        60, 2, False,
    ),
    "clip-float16": (
        CLIPTextModelWithProjection,
        dict(vocab_size=64, hidden_size=16, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
             max_position_embeddings=16, hidden_act="quick_gelu", projection_dim=16,
             bos_token_id=62, eos_token_id=63, pad_token_id=63),
        63, 3, True,
    ),
}


def main() -> None:
    for name, (kind, fields, end, seed, half) in CASES.items():
        config = CLIPTextConfig(**fields)
        model = kind(config).eval()
        tensors = fill(model, seed, half)
        length = config.max_position_embeddings - 1
        ids = torch.from_numpy(((uniform("ids", seed, 2 * length) + 1) / 2 * 50).astype("int64")).reshape(2, length)
        ids[0, length - 3] = end
        ids[1, length - 1] = end
        with torch.no_grad():
            out = model(ids, output_hidden_states=True)
        outputs = {f"hidden_states.{i}": packed(h) for i, h in enumerate(out.hidden_states)}
        outputs["last_hidden_state"] = packed(out.last_hidden_state)
        if kind is CLIPTextModel:
            outputs["pooler_output"] = packed(out.pooler_output)
        else:
            outputs["text_embeds"] = packed(out.text_embeds)
        save(name, dict(config=config.to_diff_dict() | fields, seed=seed, half=half, tensors=tensors,
                        ids=ids.tolist(), outputs=outputs))


if __name__ == "__main__":
    main()
