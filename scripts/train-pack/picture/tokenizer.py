"""A CLIP-form byte BPE of its own: lower case, `</w>` at the end of words, trained on the prompts."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from config import MAX_TOKENS, VOCAB
from prompts import prompt_of, random_scene
from world import EXTRA_WORDS, KINDS

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
CASTS = [[], ["temo"], ["felfel"], ["child"], ["temo", "felfel"], ["felfel", "temo"], ["child", "child"]]


def corpus(count: int, seed: int):
    rng = random.Random(seed)
    for _ in range(count):
        yield prompt_of(rng, random_scene(rng, rng.choice(CASTS))).lower()
    for word in EXTRA_WORDS:
        for _ in range(max(4, count // 4000)):
            yield word


def build():
    from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer

    def shell(model):
        t = Tokenizer(model)
        t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
        t.decoder = decoders.ByteLevel()
        return t

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    # The vocabulary is laid out as CLIP's: bytes, bytes at a word's end, merges, then BOS and EOS (the highest ids).
    trained = shell(BPE(end_of_word_suffix="</w>", unk_token=EOS))
    trained.train_from_iterator(corpus(20000, 1), BpeTrainer(
        vocab_size=VOCAB, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False, min_frequency=2))
    merges = [tuple(m) if not isinstance(m, str) else tuple(m.split(" ")) for m in json.loads(trained.to_str())["model"]["merges"]]
    vocab = {}
    for token in [*alphabet, *[a + "</w>" for a in alphabet], *["".join(m) for m in merges]]:
        vocab.setdefault(token, len(vocab))
    vocab, kept = {t: i for t, i in vocab.items() if i < VOCAB - 2}, merges
    kept = [m for m in merges if all(p in vocab for p in m) and "".join(m) in vocab]
    vocab = {t: i for i, t in enumerate(sorted(vocab, key=vocab.get))}
    vocab[BOS], vocab[EOS] = VOCAB - 2, VOCAB - 1
    assert sorted(vocab.values()) == list(range(VOCAB)), len(vocab)
    t = shell(BPE(vocab=vocab, merges=kept, continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token=EOS, fuse_unk=False))
    t.add_special_tokens([BOS, EOS])
    t.post_processor = processors.RobertaProcessing((EOS, vocab[EOS]), (BOS, vocab[BOS]), trim_offsets=False, add_prefix_space=False)
    return t


def save(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    build().save(str(folder / "tokenizer.json"))
    token = lambda s: {"content": s, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, "__type": "AddedToken"}
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "CLIPTokenizer", "model_max_length": MAX_TOKENS, "bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": EOS,
        "do_lower_case": True, "add_prefix_space": False, "errors": "replace",
    }, indent=2) + "\n")


class Tokenizer:
    def __init__(self, folder: Path):
        from tokenizers import Tokenizer as T

        self.t = T.from_file(str(folder / "tokenizer.json"))
        self.eos = self.t.token_to_id(EOS)

    def __call__(self, texts: list[str]):
        """-> int64 [N, MAX_TOKENS], padded with EOS, cut with EOS last."""
        import torch

        out = torch.full((len(texts), MAX_TOKENS), self.eos, dtype=torch.long)
        for i, e in enumerate(self.t.encode_batch([" ".join(t.split()) for t in texts])):
            ids = e.ids
            if len(ids) > MAX_TOKENS:
                ids = ids[: MAX_TOKENS - 1] + [self.eos]
            out[i, : len(ids)] = torch.tensor(ids)
        return out


if __name__ == "__main__":
    import sys

    save(Path(sys.argv[1]))
    tok = Tokenizer(Path(sys.argv[1]))
    for s in ["temo and felfel exploring alien planet together, epic adventure", "TEMO éats crocodile's 123", ""]:
        e = tok.t.encode(s)
        print(len(e.ids), e.tokens)
    rng = random.Random(3)
    import collections
    lens = collections.Counter()
    for i in range(2000):
        p = prompt_of(rng, random_scene(rng, rng.choice(CASTS)))
        lens[len(tok.t.encode(p).ids) // 8 * 8] += 1
        if i < 14: print(p)
    print(sorted(lens.items()))
