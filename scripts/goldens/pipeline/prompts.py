"""Token ids of hostile and ordinary prompts by the reference tokenizer (tokenizers 0.23)."""
import json
from pathlib import Path

from tokenizers import Tokenizer

PROMPTS = [
    "", " ", "temo and felfel", "It's 2024! We're  at\tthe caf\u00e9 \u2014 na\u00efve", "\u65e5\u672c\u8a9e \U0001f680\U0001f680 e\u0301", "a" * 60,
    "MOON base,moon-base;moon's", "'s't're've'll'd'm", "line\nbreak\r\n  and\u00a0nbsp\u3000wide", "<b>&amp; \\x00 %s {0}", "\u0130stanbul \u1e9e \ufb01",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd", "1234567890 3.14", "!!!???...,,,", "\u200bzero\u200dwidth", "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67".encode("utf-16", "surrogatepass").decode("utf-16"),
]

def main(folder: Path):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer/tokenizer.json"))
    cases = [[p, tokenizer.encode(p, add_special_tokens=False).ids] for p in PROMPTS]
    (folder / "prompts.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(len(cases), "prompts")
