"""Full-size Dia-1.6B and DAC 44.1 kHz with random weights, and what transformers makes of them on a GPU.

    python scripts/goldens/voice/full_size.py FOLDER [--tiny]

writes FOLDER/{dia,dac}/ in the layout of transformers (float16) and FOLDER/reference.json beside raw arrays, which
gpu-pool/bench/voice-full-size.ts compares with. `--tiny` makes small models, to try the pair of scripts on a CPU.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import DacConfig, DacModel, DiaConfig, DiaForConditionalGeneration

FOLDER = pathlib.Path(sys.argv[1])
TINY = "--tiny" in sys.argv
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TEXT = "[S1] Look at this incredible landscape, it goes on for ever! [S2] Amazing discovery, my dear friend. ".replace(
    "[S1]", "\x01").replace("[S2]", "\x02") * 2
SAMPLING = dict(guidance_scale=3.0, temperature=1.2, top_p=0.95, top_k=45)
STEPS, ROWS = 200, 48


def configs() -> tuple[DiaConfig, DacConfig]:
    if not TINY:
        return DiaConfig(), DacConfig(sampling_rate=44100)
    encoder = dict(num_hidden_layers=2, hidden_size=64, num_attention_heads=2, num_key_value_heads=2, head_dim=32, intermediate_size=96)
    decoder = dict(num_hidden_layers=2, hidden_size=96, num_attention_heads=4, num_key_value_heads=2, head_dim=32, intermediate_size=128,
                   cross_num_attention_heads=2, cross_num_key_value_heads=2, cross_head_dim=32, cross_hidden_size=64)
    dac = DacConfig(encoder_hidden_size=8, decoder_hidden_size=64, sampling_rate=44100)
    return DiaConfig(encoder_config=encoder, decoder_config=decoder), dac


def save(model: torch.nn.Module, config, name: str) -> None:
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous().half().cpu() for k, v in model.state_dict().items()}, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(config.to_json_string(use_diff=False))


def sync() -> float:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def raw(name: str, values: torch.Tensor | np.ndarray) -> None:
    array = values.detach().float().cpu().numpy() if isinstance(values, torch.Tensor) else values
    array.astype(np.float32).tofile(FOLDER / f"{name}.f32")


def to_half_precision(model: torch.nn.Module, frequencies: list[torch.Tensor]) -> None:
    model.half()
    restore(model, frequencies)


def restore(model: torch.nn.Module, frequencies: list[torch.Tensor]) -> None:
    """Rotary frequencies stay in float32, as they do in a model that is loaded in half precision."""
    model.model.encoder.rotary_emb.inv_freq, model.model.decoder.rotary_emb.inv_freq = frequencies


@torch.no_grad()
def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.set_default_device(DEVICE)
    dia_config, dac_config = configs()
    dia_config._attn_implementation = "sdpa"
    model = DiaForConditionalGeneration(dia_config).eval()
    for name, p in model.named_parameters():
        if p.dim() > 1:
            # With scale 1 random queries and keys saturate the softmax unless they are small.
            p.normal_(std=(0.25 if "q_proj" in name or "k_proj" in name else 1.0) / p.shape[1] ** 0.5)
    frequencies = [module.inv_freq.clone() for module in (model.model.encoder.rotary_emb, model.model.decoder.rotary_emb)]
    to_half_precision(model, frequencies)
    save(model, dia_config, "dia")
    text = torch.tensor([list(TEXT.encode())])
    both = torch.cat([text, torch.zeros_like(text)])
    channels, vocab = dia_config.decoder_config.num_channels, dia_config.decoder_config.vocab_size
    rows = torch.randint(0, 1024, (1, ROWS, channels))
    half = model(input_ids=both, decoder_input_ids=rows.repeat(2, 1, 1), use_cache=False).logits.float()
    noise = -torch.log(-torch.log(torch.rand(STEPS + 20, channels, SAMPLING["top_k"]) * 0.9999 + 1e-5))
    raw("noise", noise)
    calls = 0

    def multinomial(probabilities, num_samples, **_):
        nonlocal calls
        ordered, index = probabilities.sort(dim=-1, descending=True, stable=True)
        score = ordered[:, : SAMPLING["top_k"]].log() + noise[calls]
        calls += 1
        return index.gather(1, score.argmax(-1, keepdim=True))

    prefill = torch.full((1, 1 + max(dia_config.delay_pattern), channels), dia_config.decoder_config.pad_token_id)
    for channel, delay in enumerate(dia_config.delay_pattern):
        prefill[0, : delay + 1, channel] = dia_config.decoder_config.bos_token_id
    given = dict(input_ids=text, decoder_input_ids=prefill, decoder_attention_mask=torch.ones(prefill.shape[:2], dtype=torch.long),
                 do_sample=True, **SAMPLING)
    model.generate(**given, max_length=12)
    started = sync()
    model.generate(**given, max_length=100)
    speed = 115 / (sync() - started)

    model = model.float()
    restore(model, frequencies)
    exact = model(input_ids=both, decoder_input_ids=rows.repeat(2, 1, 1), use_cache=False).logits
    order = lambda x: x.view(2, channels, ROWS, vocab).permute(2, 0, 1, 3)  # [row, cond/uncond, C, V]
    raw("logits", order(exact))
    original, torch.multinomial = torch.multinomial, multinomial
    try:
        sequence = model.generate(**given, max_length=STEPS)[0].cpu().tolist()
    finally:
        torch.multinomial = original
    del model

    codec = DacModel(dac_config).eval()
    for name, p in codec.named_parameters():
        if p.dim() == 3 and not name.endswith("alpha"):
            p.normal_(std=0.7 / (p.shape[1] * p.shape[2]) ** 0.5)
    codec.half()
    save(codec, dac_config, "dac")
    codec = codec.float()
    codes = torch.randint(0, 1024, (1, dac_config.n_codebooks, 430))
    codec.decode(audio_codes=codes)
    started = sync()
    audio = codec.decode(audio_codes=codes).audio_values[0]
    dac_seconds = sync() - started
    raw("audio", audio)
    wave = torch.sin(torch.arange(512 * 86) * 0.05) * 0.3 + torch.randn(512 * 86) * 0.1
    raw("wave", wave)
    encoded = codec.encode(wave[None, None]).audio_codes[0].cpu().tolist()
    reference = dict(
        text=TEXT, rows=rows[0].cpu().tolist(), sampling=SAMPLING, maxLength=STEPS, sequence=sequence,
        halfError=float((half - exact).abs().max() / exact.std()), halfRelative=float((half - exact).norm() / exact.norm()),
        generateFramesPerSecond=speed, codes=codes[0].cpu().tolist(), encoded=encoded, dacSeconds=dac_seconds,
        device=torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu",
    )
    (FOLDER / "reference.json").write_text(json.dumps(reference))
    figures = {k: reference[k] for k in ("device", "generateFramesPerSecond", "halfError", "halfRelative", "dacSeconds")}
    print(json.dumps({"section": "voice", "who": "transformers", **figures, "audioStd": float(audio.std())}), flush=True)


main()
