"""Text of one spoken line -> the plain form that the voice was trained on, and its bytes.

The rules are specified in NORMALISER.md; gpu-pool/src/speech follows the same document and
fixtures/normalise.json pins both sides. Output alphabet: a-z ' . , ! ? and single spaces.
"""

import re
import unicodedata

from config import SPACE_BASE, SPACE_COUNT

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = ["", "thousand", "million", "billion", "trillion"]
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth",
    "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
ABBREVIATIONS = [
    ("mr.", "mister"), ("mrs.", "missus"), ("ms.", "miz"), ("dr.", "doctor"), ("prof.", "professor"),
    ("capt.", "captain"), ("sgt.", "sergeant"), ("vs.", "versus"), ("etc.", "et cetera"),
    ("e.g.", "for example"), ("i.e.", "that is"), ("approx.", "approximately"),
]  # fmt: skip
ACRONYMS = {"usa", "uk", "ufo", "ai", "uv", "api", "ceo", "diy", "faq"}
NON_VERBALS = (
    "laughs|laugh|laughing|clears throat|sighs|sigh|gasps|gasp|coughs|cough|singing|sings|mumbles|beep|"
    "groans|groan|sniffs|claps|screams|inhales|exhales|applause|burps|humming|hums|sneezes|chuckles|"
    "chuckle|whistles|giggles|whispers|shouts|pause"
)
SYMBOLS = [
    ("&", " and "), ("%", " percent "), ("+", " plus "), ("=", " equals "), ("@", " at "), ("°", " degrees "),
    ("×", " times "), ("÷", " divided by "),
]  # fmt: skip
CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent"), "¥": ("yen", "yen")}


def cardinal(number: int) -> str:
    """0 … 999 999 999 999 999 in words, American form: no 'and', no hyphens."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + ("" if number % 10 == 0 else " " + ONES[number % 10])
    if number < 1000:
        rest = number % 100
        return ONES[number // 100] + " hundred" + ("" if rest == 0 else " " + cardinal(rest))
    groups = []
    scale = 0
    while number:
        number, group = divmod(number, 1000)
        if group:
            groups.append(cardinal(group) + ("" if scale == 0 else " " + SCALES[scale]))
        scale += 1
    return " ".join(reversed(groups))


def digits(text: str) -> str:
    return " ".join(ONES[int(c)] for c in text)


def integer(text: str) -> str:
    """Digits, read one by one when there are more than 15 or a leading zero."""
    if len(text) > 15 or (len(text) > 1 and text[0] == "0"):
        return digits(text)
    return cardinal(int(text))


def ordinal(number: int) -> str:
    head, _, last = cardinal(number).rpartition(" ")
    if last in ORDINALS:
        last = ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return (head + " " + last).strip()


def year(number: int) -> str:
    """1100 … 1999 and 2010 … 2099 in pairs; 2000 … 2009 as a cardinal."""
    if 2000 <= number <= 2009:
        return cardinal(number)
    low = number % 100
    if low == 0:
        return cardinal(number // 100) + " hundred"
    return cardinal(number // 100) + " " + ("oh " + ONES[low] if low < 10 else cardinal(low))


def plural(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("x") else "s")


def _money(match: re.Match) -> str:
    unit, part = CURRENCIES[match[1]]
    whole, cents = match[2].replace(",", ""), match[3]
    plural_of = {"penny": "pence", "yen": "yen"}
    words = [integer(whole), unit if whole == "1" else plural_of.get(unit, unit + "s")]
    if cents and int(cents):
        words += ["and", cardinal(int(cents)), part if int(cents) == 1 else plural_of.get(part, part + "s")]
    return " " + " ".join(words) + " "


def _time(match: re.Match) -> str:
    hour, minute = int(match[1]), int(match[2])
    if hour > 23 or minute > 59:
        return f" {cardinal(hour)} {integer(match[2])} "
    if minute == 0:
        tail = "" if match[3] else "o'clock"
    else:
        tail = ("oh " if minute < 10 else "") + cardinal(minute)
    return f" {cardinal(hour)} {tail} "


def _number(match: re.Match) -> str:
    text = match[0]
    if "." in text:
        whole, fraction = text.split(".")
        return f" {integer(whole.replace(',', ''))} point {digits(fraction)} "
    if "," not in text and len(text) == 4 and (1100 <= int(text) <= 1999 or 2000 <= int(text) <= 2099):
        return f" {year(int(text))} "
    return f" {integer(text.replace(',', ''))} "


def _capitals(match: re.Match) -> str:
    word = match[0]
    if word.lower() in ACRONYMS or not re.search("[AEIOUY]", word):
        return " ".join(word)
    return word


def normalise_line(text: str) -> str:
    """One line of dialogue without its [S1]/[S2] tag. "" when nothing can be spoken."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub("[‘’ʼ`´]", "'", text)
    text = re.sub("[–—―]|--+", ", ", text)
    text = re.sub(r"…|\.\.+", ", ", text)
    text = re.sub(rf"[(\[*]\s*(?:{NON_VERBALS})\s*[)\]*]", " ", text, flags=re.I)
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    text = re.sub(r"\b[A-Z]{2,5}\b", _capitals, text).lower()
    for short, long in ABBREVIATIONS:
        text = re.sub(rf"(?<![a-z0-9]){re.escape(short)}", long + " ", text)
    text = re.sub(r"\bok\b", "okay", text)
    text = re.sub(r"#\s*(?=\d)", "number ", text)
    text = re.sub(r"([$£€¥])\s*(\d[\d,]*)(?:\.(\d\d)(?!\d))?", _money, text)
    text = re.sub(r"(?<=\d)\s*([ap])\.?m\b\.?", r" \1 m ", text)
    text = re.sub(r"\b(\d{1,2}):(\d\d)\b(?=( +[ap] m )?)", _time, text)
    text = re.sub(r"\b(\d{1,15})(st|nd|rd|th)\b", lambda m: f" {ordinal(int(m[1]))} ", text)
    text = re.sub(r"\b(1[1-9]|20)(\d0)'?s\b", lambda m: f" {plural(year(int(m[1] + m[2])))} ", text)
    text = re.sub(r"(?<![\w.])[-−](?=\d)", "minus ", text)
    text = re.sub(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?", _number, text)
    for symbol, word in SYMBOLS:
        text = text.replace(symbol, word)
    text = re.sub("[;:]", ",", text)
    text = re.sub(r"(?<![a-z])'|'(?![a-z])", " ", text)
    text = re.sub(r"[^a-z'.,!?]+", " ", text)
    text = re.sub(r"([a-z])\1{2,}", r"\1\1", text)
    text = re.sub(r"\s*([.,!?](?:\s*[.,!?])*)\s*", lambda m: _strongest(m[1]) + " ", text)
    text = re.sub(r"^[.,!?\s]+", "", text).strip()
    if not re.search("[a-z]", text):
        return ""
    if text[-1] == ",":
        text = text[:-1] + "."
    return text if text[-1] in ".!?" else text + "."


def _strongest(marks: str) -> str:
    return next(mark for mark in "?!.," if mark in marks)


def encode(lines: list[tuple[int, str]]) -> list[int]:
    """[(speaker 1 or 2, normalised line)] -> byte ids of one chunk: per line the tag byte 0x01 or
    0x02, a space and the line, lines joined by a space; the n-th space is SPACE_BASE + n % SPACE_COUNT."""
    ids: list[int] = []
    spaces = 0
    for character in " ".join(f"{chr(speaker)} {line}" for speaker, line in lines):
        if character == " ":
            ids.append(SPACE_BASE + spaces % SPACE_COUNT)
            spaces += 1
        else:
            ids.append(ord(character))
    return ids
