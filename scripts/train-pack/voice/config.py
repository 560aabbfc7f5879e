"""Sizes of the built-in voice: one place for the recipe, the export and the tests.

The models are transformers' own classes (DiaForConditionalGeneration and DacModel), so every
number below is a legal value of their config.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import DacConfig, DiaConfig

SAMPLE_RATE = 16_000
HOP = 320  # 2 * 4 * 4 * 10: even strides only, so a decode has exactly frames * HOP samples
FRAME_RATE = SAMPLE_RATE // HOP  # 50 Hz
CODEBOOKS = 8
CODEBOOK_SIZE = 256
EOS, PAD, BOS = CODEBOOK_SIZE, CODEBOOK_SIZE + 1, CODEBOOK_SIZE + 2
DELAYS = list(range(CODEBOOKS))  # coarse to fine: each channel sees the coarser codes of its frame
VOICES = {1: "slt", 2: "rms"}  # [S1] = Temo, [S2] = Felfel
ALIGNMENT_LAYER, ALIGNMENT_HEAD = 1, 0  # the decoder cross-attention head trained on flite's timings
MAX_FRAMES = 700  # 14 s; longer scripts are cut into chunks by the product
MAX_TEXT = 320
PITCH = {"S1": 170, "S2": 105}  # median Hz of the two flite voices over whole lines; the product hears by it who speaks
SPACE_BASE, SPACE_COUNT = 128, 32  # byte of the n-th space of a chunk: 128 + n % 32


def dac_config() -> DacConfig:
    from transformers import DacConfig

    return DacConfig(
        encoder_hidden_size=12,
        downsampling_ratios=[2, 4, 4, 10],
        decoder_hidden_size=320,
        n_codebooks=CODEBOOKS,
        codebook_size=CODEBOOK_SIZE,
        codebook_dim=8,
        quantizer_dropout=0.25,
        sampling_rate=SAMPLE_RATE,
    )


def dia_config() -> DiaConfig:
    from transformers import DiaConfig

    return DiaConfig(
        encoder_config={
            "hidden_size": 192,
            "num_hidden_layers": 4,
            "num_attention_heads": 3,
            "num_key_value_heads": 3,
            "head_dim": 64,
            "intermediate_size": 320,
            "max_position_embeddings": 512,
            "vocab_size": 256,
        },
        decoder_config={
            "hidden_size": 320,
            "num_hidden_layers": 6,
            "num_attention_heads": 5,
            "num_key_value_heads": 1,
            "head_dim": 64,
            "intermediate_size": 576,
            "cross_num_attention_heads": 4,
            "cross_num_key_value_heads": 4,
            "cross_head_dim": 64,
            "cross_hidden_size": 192,
            "max_position_embeddings": 1024,
            "vocab_size": CODEBOOK_SIZE + 4,
            "num_channels": CODEBOOKS,
            "eos_token_id": EOS,
            "pad_token_id": PAD,
            "bos_token_id": BOS,
        },
        delay_pattern=DELAYS,
    )
