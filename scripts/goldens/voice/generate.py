"""Golden values of Dia and DAC from transformers, for gpu-pool's tests.

    python scripts/goldens/voice/generate.py        (transformers 5.17, torch 2.11 on the CPU)
"""

import base64
import json
import pathlib

import numpy as np
import torch
from transformers import DacConfig, DacModel, DiaConfig, DiaForConditionalGeneration

from formula_weights import fill, gumbel, uniform

OUT = pathlib.Path(__file__).resolve().parents[3] / "gpu-pool/test-fixtures/voice"
torch.set_num_threads(1)
torch.manual_seed(0)


def packed(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def dia_config(encoder: dict, decoder: dict, delays: list[int]) -> DiaConfig:
    return DiaConfig(encoder_config=encoder, decoder_config=decoder, delay_pattern=delays)


DIA = {
    # The full-size vocabulary and delays, grouped-query attention.
    "dia-grouped": dict(
        dtype="float32", gain=1.6, text="\x01 Look at this! \x02 Amazing.", prompt=0, length=40, logit_stride=23,
        sampling=dict(guidance_scale=3.0, temperature=1.2, top_p=0.95, top_k=45),
        config=dia_config(
            dict(num_hidden_layers=2, hidden_size=32, num_attention_heads=2, num_key_value_heads=2, head_dim=16,
                 intermediate_size=64, max_position_embeddings=128),
            dict(num_hidden_layers=3, hidden_size=48, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2,
                 head_dim=16, cross_num_attention_heads=4, cross_head_dim=16, cross_num_key_value_heads=2,
                 cross_hidden_size=32, max_position_embeddings=256),
            [0, 8, 9, 10, 11, 12, 13, 14, 15])),
    # A small vocabulary that ends by itself, other delays, odd head size, GELU, a voice prompt, half precision.
    "dia-prompted": dict(
        dtype="float16", gain=2.0, text="\x01 Hi there. \x01 One two three.", prompt=6, length=160, logit_stride=1,
        sampling=dict(guidance_scale=2.0, temperature=1.0, top_p=0.8, top_k=12),
        config=dia_config(
            dict(num_hidden_layers=1, hidden_size=24, num_attention_heads=3, num_key_value_heads=1, head_dim=12,
                 intermediate_size=40, max_position_embeddings=64, norm_eps=1e-6, hidden_act="gelu",
                 rope_parameters=dict(rope_type="default", rope_theta=500.0)),
            dict(num_hidden_layers=2, hidden_size=40, intermediate_size=56, num_attention_heads=3, num_key_value_heads=1,
                 head_dim=20, cross_num_attention_heads=2, cross_head_dim=10, cross_num_key_value_heads=2,
                 cross_hidden_size=24, vocab_size=36, num_channels=4, eos_token_id=32, pad_token_id=33, bos_token_id=34,
                 max_position_embeddings=256, norm_eps=1e-6, hidden_act="gelu",
                 rope_parameters=dict(rope_type="default", rope_theta=500.0)),
            [0, 2, 3, 5])),
    # One layer, one key/value head, no delay at all on two channels, bfloat16.
    "dia-single": dict(
        dtype="bfloat16", gain=1.5, text="\x02 Go!", prompt=0, length=200, logit_stride=1,
        sampling=dict(guidance_scale=4.0, temperature=1.4, top_p=1.0, top_k=5),
        config=dia_config(
            dict(num_hidden_layers=1, hidden_size=16, num_attention_heads=1, num_key_value_heads=1, head_dim=16,
                 intermediate_size=24, max_position_embeddings=32),
            dict(num_hidden_layers=1, hidden_size=32, intermediate_size=48, num_attention_heads=2, num_key_value_heads=1,
                 head_dim=32, cross_num_attention_heads=1, cross_head_dim=8, cross_num_key_value_heads=1,
                 cross_hidden_size=16, vocab_size=20, num_channels=3, eos_token_id=16, pad_token_id=17, bos_token_id=18,
                 max_position_embeddings=256),
            [0, 0, 1])),
}


def delayed(audio: torch.Tensor, delays: list[int], bos: int, pad: int) -> torch.Tensor:
    """DiaProcessor's prefill: audio [A, C] with its BOS row -> [A + max delay, C]; pad = not decided."""
    length, channels = audio.shape
    rows = torch.full((length + max(delays), channels), pad)
    for channel, delay in enumerate(delays):
        rows[:delay, channel] = bos
        rows[delay : delay + length, channel] = audio[:, channel]
    return rows[None]


def dia_golden(name: str, case: dict) -> dict:
    config = case["config"]
    config._attn_implementation = "eager"
    model = DiaForConditionalGeneration(config).eval()
    fill(model, case["gain"], getattr(torch, case["dtype"]))
    decoder = config.decoder_config
    channels, vocab = decoder.num_channels, decoder.vocab_size
    text = torch.tensor([list(case["text"].encode())])
    both = torch.cat([text, torch.zeros_like(text)])

    rows = torch.from_numpy((uniform(f"{name} rows", 7 * channels) * decoder.eos_token_id).astype(np.int64))
    rows = rows.reshape(1, 7, channels)
    with torch.no_grad():
        out = model(input_ids=both, decoder_input_ids=rows.repeat(2, 1, 1), use_cache=False, output_attentions=True)
    logits = out.logits.view(2, channels, 7, vocab).permute(2, 0, 1, 3).numpy()  # [row, cond/uncond, C, V]
    attention = out.cross_attentions[-1][0, 0].numpy()  # last layer, head 0, conditional: [row, T]

    k = case["sampling"]["top_k"]
    length = case["length"]
    noise = gumbel(f"{name} gumbel", (length + max(config.delay_pattern), channels, k))
    calls = 0

    def multinomial(probabilities: torch.Tensor, num_samples: int, **_: object) -> torch.Tensor:
        nonlocal calls
        ordered, index = probabilities.sort(dim=-1, descending=True, stable=True)
        score = ordered[:, :k].double().log() + torch.from_numpy(noise[calls]).double()
        calls += 1
        return index.gather(1, score.argmax(-1, keepdim=True))

    codes = (uniform(f"{name} prompt", case["prompt"] * channels) * decoder.eos_token_id).astype(np.int64)
    audio = torch.from_numpy(codes).reshape(case["prompt"], channels)
    audio = torch.cat([torch.full((1, channels), decoder.bos_token_id), audio])
    prefill = delayed(audio, config.delay_pattern, decoder.bos_token_id, decoder.pad_token_id)
    original, torch.multinomial = torch.multinomial, multinomial
    try:
        sequence = model.generate(
            input_ids=text, decoder_input_ids=prefill, decoder_attention_mask=torch.ones(prefill.shape[:2], dtype=torch.long),
            do_sample=True, max_length=length, **case["sampling"],
        )[0].numpy()
    finally:
        torch.multinomial = original
    print(name, "tokens", sequence.shape, "first end", np.argwhere(sequence[:, 0] == decoder.eos_token_id)[:1].tolist())
    plain = json.loads(config.to_json_string(use_diff=False))
    return dict(
        config=plain, dtype=case["dtype"], gain=case["gain"], text=case["text"], prompt=codes.reshape(-1, channels).tolist(),
        rows=rows[0].tolist(), logitStride=case["logit_stride"], logitStd=float(logits.std()),
        logits=packed(logits.reshape(-1)[:: case["logit_stride"]]), attention=packed(attention),
        sampling=case["sampling"], maxLength=length, sequence=sequence.tolist(),
        shapes={key: list(value.shape) for key, value in model.state_dict().items()},
    )


DAC = {
    "dac-even": dict(dtype="float16", gain=0.75, frames=11, config=DacConfig(
        encoder_hidden_size=6, downsampling_ratios=[2, 4, 4], decoder_hidden_size=48, n_codebooks=4, codebook_size=64,
        codebook_dim=6, sampling_rate=16000)),
    "dac-odd": dict(dtype="float32", gain=0.75, frames=9, config=DacConfig(
        encoder_hidden_size=4, downsampling_ratios=[3, 5], decoder_hidden_size=32, n_codebooks=3, codebook_size=32,
        codebook_dim=8, sampling_rate=44100)),
}


def dac_golden(name: str, case: dict) -> dict:
    config = case["config"]
    model = DacModel(config).eval()
    fill(model, case["gain"], getattr(torch, case["dtype"]))
    codes = (uniform(f"{name} codes", config.n_codebooks * case["frames"]) * config.codebook_size).astype(np.int64)
    codes = torch.from_numpy(codes).reshape(1, config.n_codebooks, case["frames"])
    samples = case["frames"] * config.hop_length
    time = np.arange(samples, dtype=np.float32)
    audio = (np.sin(time * 0.11) * 0.4 + (uniform(f"{name} audio", samples) - 0.5) * 0.6).astype(np.float32)
    with torch.no_grad():
        decoded = model.decode(audio_codes=codes).audio_values[0].numpy()
        encoded = model.encode(torch.from_numpy(audio)[None, None]).audio_codes[0].numpy()
    print(name, decoded.shape, decoded.std(), encoded.shape)
    return dict(
        config=json.loads(config.to_json_string(use_diff=False)), dtype=case["dtype"], gain=case["gain"],
        codes=codes[0].tolist(), decoded=packed(decoded), audio=packed(audio), encoded=encoded.tolist(),
        shapes={key: list(value.shape) for key, value in model.state_dict().items()},
    )


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name, case in DIA.items():
        (OUT / f"{name}.json").write_text(json.dumps(dia_golden(name, case)) + "\n")
    for name, case in DAC.items():
        (OUT / f"{name}.json").write_text(json.dumps(dac_golden(name, case)) + "\n")


if __name__ == "__main__":
    main()
