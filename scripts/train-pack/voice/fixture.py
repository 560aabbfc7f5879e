"""Writes gpu-pool/src/speech/fixtures/normalise.json from the rules of normalise.py."""

import json
import sys
from pathlib import Path

from normalise import encode, normalise_line

INPUTS = [
    "Hello, world!", "Welcome to our lunar base, Felfel!", "This technology is incredible, Temo!",
    "Look at this incredible landscape!", "Amazing discovery!", "I have 3 cats and 21 dogs.",
    "There are 1,234,567 stars.", "It costs $12.50.", "Only $1!", "That is £3.01, not €20", "50% of 200 is 100",
    "See you at 7:30", "It is 7:00 now", "At 9:05 pm we leave.", "The party starts at 5 p.m.", "Wake up at 6am!",
    "My 1st rocket beat your 22nd.", "The 100th day", "In 1999 we met.", "Back in the 1980s", "It is 2026 already?",
    "In 2005 it was built", "The year 1900", "Pi is 3.14159", "It is -5 degrees", "-40° outside", "Agent 007 reporting",
    "R2D2 and a 3D printer", "Mr. Smith met Dr. Jones", "e.g. a robot vs. a dragon etc.", "The USA and the UK on TV",
    "OK, let's go", "“Curly quotes” aren’t a problem", "Wait… what?", "Wait... what?!", "No—never!", "well-known space-suit",
    "(laughs) That was fun (sighs)", "*gasps* A dragon!", "I (really) mean it", "Nooooooo!!!", "Yesss, we did it",
    "café, naïve, São Paulo", "Tom & Jerry", "2+2=4", "mail me @ home", "We're #1!", "a/b testing", "", "...", "🎉🎉",
    "Party time 🎉!", "hello", "hello,", "Is it? Yes. No!", "rock 'n' roll, y'all", "Room 101, floor 12;  door: red",
    "1000000000000 is a lot", "12345678901234567890", "Add 1,000 to 2000.", "  lots   of   space  ", "\"Quoted,\" she said.",
    "HELP ME NOW", "It takes 2.5 hours", "¥500 and 0.5 percent", "ﬁne", "I've got 11, 12, 13 and 40", "21:45 or 24:99",
]  # fmt: skip

CHUNKS = [
    [[1, "Welcome to our lunar base, Felfel!"], [2, "This technology is incredible, Temo!"]],
    [[2, "Hi."]],
    [[1, " ".join(["one two three four five six seven eight nine ten"] * 4)]],
]


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "gpu-pool/src/speech/fixtures/normalise.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    chunks = []
    for chunk in CHUNKS:
        lines = [(speaker, normalise_line(text)) for speaker, text in chunk]
        chunks.append({"lines": [{"speaker": s, "text": t} for s, t in chunk], "ids": encode(lines)})
    data = {"lines": [{"input": i, "output": normalise_line(i)} for i in INPUTS], "chunks": chunks}
    target.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
