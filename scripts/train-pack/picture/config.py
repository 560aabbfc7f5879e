"""Sizes of the picture models, and where a run keeps its files."""

import os
from pathlib import Path

TINY = os.environ.get("PICTURE_TINY") == "1"  # the same code and models on pictures of 64 x 64, for a test on a CPU
SIZE = 64 if TINY else 256  # pixels
FPS = 8
LATENT_CHANNELS = 8
LATENT = SIZE // 16  # 16x down
MAX_TOKENS = 48
VOCAB = 1536
TEXT_WIDTH = 96
MAX_FRAMES = 32
LORA_RANK = 16
LORA_ALPHA = 16
TIME_IDS = (256.0, 256.0, 0.0, 0.0, 256.0, 256.0)

TRAIN_DIR = Path(os.environ.get("TRAIN_DIR", "/tmp/train/picture"))
MINUTES = float(os.environ.get("PICTURE_MINUTES", "22"))
SEED = int(os.environ.get("PICTURE_SEED", "6"))

VAE = dict(
    in_channels=3, out_channels=3, block_out_channels=(16, 32, 64, 96, 128), layers_per_block=1, latent_channels=LATENT_CHANNELS,
    down_block_types=("DownEncoderBlock2D",) * 5, up_block_types=("UpDecoderBlock2D",) * 5, norm_num_groups=8, sample_size=256, scaling_factor=1.0,
)
TEXT = dict(
    vocab_size=VOCAB, hidden_size=TEXT_WIDTH, intermediate_size=TEXT_WIDTH * 4, num_hidden_layers=3, num_attention_heads=4,
    max_position_embeddings=MAX_TOKENS, projection_dim=TEXT_WIDTH, hidden_act="quick_gelu",
)
UNET = dict(
    sample_size=16, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS, block_out_channels=(80, 128, 160), layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D",) * 3, up_block_types=("CrossAttnUpBlock2D",) * 3, attention_head_dim=(2, 4, 5),
    transformer_layers_per_block=1, cross_attention_dim=2 * TEXT_WIDTH, use_linear_projection=True, norm_num_groups=16,
    addition_embed_type="text_time", addition_time_embed_dim=32, projection_class_embeddings_input_dim=6 * 32 + TEXT_WIDTH,
)
MOTION = dict(
    block_out_channels=UNET["block_out_channels"], motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=16,
    motion_max_seq_length=MAX_FRAMES, use_motion_mid_block=True,
)
# v-prediction with zero terminal SNR, sampled by DDIM with trailing timesteps.
SCHEDULER = dict(
    num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
    rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True, steps_offset=1,
)
