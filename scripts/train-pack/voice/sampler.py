"""Batched Dia generation with the rules that the product uses (delay pattern, guidance as a top-k filter,
end-of-speech rule, temperature, top-k, top-p), for evaluation on the training machine."""

import numpy as np
import torch
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

import config as c


def sample_logits(logits: torch.Tensor, settings: dict, generator: torch.Generator) -> torch.Tensor:
    """logits [2B or B, C, V] (conditional first) -> tokens [B, C]."""
    guidance, top_k = settings["guidance_scale"], settings["top_k"]
    if guidance != 1:
        conditional, unconditional = logits.chunk(2)
        guided = conditional + guidance * (conditional - unconditional)
        keep = torch.zeros_like(guided, dtype=torch.bool).scatter_(-1, guided.topk(top_k, -1).indices, True)
        logits = conditional.masked_fill(~keep, -torch.inf)
        ending = torch.isinf(logits[..., c.EOS])
        ending[:, 1:] = True  # only channel 0 may end
        empty = torch.isinf(logits[..., : c.EOS]).all(-1) & ending
        logits = torch.where(empty[..., None], conditional, logits)
    else:
        logits = logits.clone()
    logits[:, 1:, c.EOS :] = -torch.inf
    logits[:, 0, c.EOS + 1 :] = -torch.inf
    ends = logits.argmax(-1) == c.EOS
    logits[..., c.EOS] = torch.where(ends, logits[..., c.EOS], torch.full_like(logits[..., c.EOS], -torch.inf))
    logits[..., : c.EOS] = logits[..., : c.EOS].masked_fill(ends[..., None], -torch.inf)
    logits = logits / settings["temperature"]
    values, order = logits.topk(min(top_k, logits.shape[-1]), -1)
    share = values.softmax(-1)
    beyond = share.cumsum(-1) - share > settings["top_p"]
    share = share.masked_fill(beyond, 0)
    pick = torch.multinomial(share.flatten(0, 1), 1, generator=generator).view(*share.shape[:2], 1)
    return order.gather(-1, pick).squeeze(-1)


@torch.inference_mode()
def generate(model, texts: list[list[int]], settings: dict, seed: int = 0, max_frames: int = c.MAX_FRAMES) -> list[np.ndarray]:
    """texts: byte ids per item. Returns codes [frames, channels] per item."""
    device, count, width = model.device, len(texts), max(map(len, texts))
    generator = torch.Generator(device=device).manual_seed(seed)
    text = torch.zeros(count, width, dtype=torch.long)
    for i, ids in enumerate(texts):
        text[i, : len(ids)] = torch.tensor(ids)
    text = text.to(device)
    mask = (text > 0).long()
    if settings["guidance_scale"] != 1:
        text, mask = torch.cat([text, torch.zeros_like(text)]), mask.repeat(2, 1)
    encoded = model.model.encoder(input_ids=text, attention_mask=mask).last_hidden_state
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    delays = torch.tensor(c.DELAYS, device=device)
    limit = max_frames + 2 + max(c.DELAYS)
    rows = torch.full((count, limit, c.CODEBOOKS), c.PAD, dtype=torch.long, device=device)
    rows[:, 0] = c.BOS
    end = torch.full((count,), -1, dtype=torch.long, device=device)  # row in which channel 0 says EOS
    for row in range(1, limit):
        step = rows[:, row - 1 : row]
        if settings["guidance_scale"] != 1:
            step = step.repeat(2, 1, 1)
        hidden = model.model.decoder(
            input_ids=step, encoder_hidden_states=encoded, encoder_attention_mask=mask, past_key_values=cache, use_cache=True
        ).last_hidden_state
        logits = model.logits_dense(hidden).view(len(hidden), c.CODEBOOKS, -1).float()
        tokens = sample_logits(logits, settings, generator)
        end = torch.where((end < 0) & ((tokens[:, 0] == c.EOS) | (row >= max_frames + 1)), row, end)
        since = torch.where(end < 0, -1, row - end)[:, None] - delays
        known = (end >= 0)[:, None]
        tokens = torch.where(known & (since == 0), c.EOS, tokens)
        tokens = torch.where(known & (since > 0), c.PAD, tokens)
        rows[:, row] = torch.where(row <= delays, torch.full_like(tokens, c.BOS), tokens)
        if row % 16 == 0 and bool(((end >= 0) & (row >= end + max(c.DELAYS))).all()):
            break
    rows, end = rows.cpu(), end.cpu()
    result = []
    for i in range(count):
        frames = int(end[i]) - 1
        codes = torch.stack([rows[i, 1 + d : 1 + d + frames, k] for k, d in enumerate(c.DELAYS)], 1)
        result.append(codes.clamp(max=c.CODEBOOK_SIZE - 1).numpy().astype(np.uint8))
    return result


@torch.inference_mode()
def decode(dac, codes: np.ndarray) -> np.ndarray:
    """codes [frames, channels] -> int16 [frames * hop]."""
    if not len(codes):
        return np.zeros(0, np.int16)
    x = torch.from_numpy(codes.T.astype(np.int64))[None].to(dac.device)
    audio = dac.decode(audio_codes=x).audio_values[0].float().cpu().numpy()
    return (audio.clip(-1, 1) * 32767).astype(np.int16)
