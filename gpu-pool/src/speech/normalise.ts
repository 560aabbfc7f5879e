import { cardinal, integer, ordinal, plural, spellDigits, year } from "./number-words.ts";

// The rules are those of scripts/train-pack/voice/NORMALISER.md, in its order; normalise.py is the reference.

const ABBREVIATIONS: readonly [string, string][] = [
  ["mr.", "mister"],
  ["mrs.", "missus"],
  ["ms.", "miz"],
  ["dr.", "doctor"],
  ["prof.", "professor"],
  ["capt.", "captain"],
  ["sgt.", "sergeant"],
  ["vs.", "versus"],
  ["etc.", "et cetera"],
  ["e.g.", "for example"],
  ["i.e.", "that is"],
  ["approx.", "approximately"],
];
const ACRONYMS = new Set(["usa", "uk", "ufo", "ai", "uv", "api", "ceo", "diy", "faq"]);
const NON_VERBALS =
  "laughs|laugh|laughing|clears throat|sighs|sigh|gasps|gasp|coughs|cough|singing|sings|mumbles|beep|" +
  "groans|groan|sniffs|claps|screams|inhales|exhales|applause|burps|humming|hums|sneezes|chuckles|" +
  "chuckle|whistles|giggles|whispers|shouts|pause";
const SYMBOLS: readonly [string, string][] = [
  ["&", " and "],
  ["%", " percent "],
  ["+", " plus "],
  ["=", " equals "],
  ["@", " at "],
  ["°", " degrees "],
  ["×", " times "],
  ["÷", " divided by "],
];
const CURRENCIES: Readonly<Record<string, readonly [string, string]>> = {
  $: ["dollar", "cent"],
  "£": ["pound", "penny"],
  "€": ["euro", "cent"],
  "¥": ["yen", "yen"],
};
const PLURALS: Readonly<Record<string, string>> = { penny: "pence", yen: "yen" };

// Word boundaries that know letters beyond ASCII, as the reference's do.
const START = "(?<![\\p{L}\\p{N}_])";
const END = "(?![\\p{L}\\p{N}_])";
const CUE = new RegExp(`[(\\[*]\\s*(?:${NON_VERBALS})\\s*[)\\]*]`, "giu");
const CAPITALS = new RegExp(`${START}[A-Z]{2,5}${END}`, "gu");
const OK = new RegExp(`${START}ok${END}`, "gu");
const MERIDIEM = new RegExp(`(?<=\\d)\\s*([ap])\\.?m${END}\\.?`, "gu");
const CLOCK = new RegExp(`${START}(\\d{1,2}):(\\d\\d)${END}(?=( +[ap] m )?)`, "gu");
const ORDINAL = new RegExp(`${START}(\\d{1,15})(?:st|nd|rd|th)${END}`, "gu");
const DECADE = new RegExp(`${START}(1[1-9]|20)(\\d0)'?s${END}`, "gu");

/**
 * One line of dialogue, without tag and name, as plain words: `a-z ' . , ! ?` and single spaces.
 * @returns the empty string when nothing can be spoken
 */
export function normaliseLine(line: string): string {
  let text = line.normalize("NFKC");
  text = text.replace(/[‘’ʼ`´]/gu, "'");
  text = text.replace(/[–—―]|-{2,}/gu, ", ");
  text = text.replace(/…|\.{2,}/gu, ", ");
  text = text.replace(CUE, " ");
  text = text.normalize("NFD").replace(/\p{M}/gu, "");
  text = text.replace(CAPITALS, spellCapitals).toLowerCase();
  text = expandNumbers(expandAbbreviations(text));
  for (const [symbol, word] of SYMBOLS) text = text.replaceAll(symbol, word);
  return tidyMarks(text);
}

function spellCapitals(word: string): string {
  return ACRONYMS.has(word.toLowerCase()) || !/[AEIOUY]/.test(word) ? [...word].join(" ") : word;
}

function expandAbbreviations(text: string): string {
  let out = text;
  for (const [short, long] of ABBREVIATIONS) {
    const pattern = new RegExp(`(?<![a-z0-9])${short.replaceAll(".", "\\.")}`, "gu");
    out = out.replace(pattern, `${long} `);
  }
  return out.replace(OK, "okay").replace(/#\s*(?=\d)/gu, "number ");
}

function expandNumbers(text: string): string {
  return text
    .replace(/([$£€¥])\s*(\d[\d,]*)(?:\.(\d\d)(?!\d))?/gu, money)
    .replace(MERIDIEM, " $1 m ")
    .replace(CLOCK, clock)
    .replace(ORDINAL, (_, digits: string) => ` ${ordinal(Number(digits))} `)
    .replace(DECADE, (_, high: string, low: string) => ` ${plural(year(Number(high + low)))} `)
    .replace(/(?<![\p{L}\p{N}_.])[-−](?=\d)/gu, "minus ")
    .replace(/\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?/gu, number);
}

function money(_: string, sign: string, amount: string, cents: string | undefined): string {
  const [unit, part] = CURRENCIES[sign] ?? ["", ""];
  const whole = amount.replaceAll(",", "");
  const words = [integer(whole), whole === "1" ? unit : (PLURALS[unit] ?? `${unit}s`)];
  const small = Number(cents ?? 0);
  if (small > 0) words.push("and", cardinal(small), small === 1 ? part : (PLURALS[part] ?? `${part}s`));
  return ` ${words.join(" ")} `;
}

function clock(_: string, hourText: string, minuteText: string, meridiem: string | undefined): string {
  const hour = Number(hourText);
  const minute = Number(minuteText);
  if (hour > 23 || minute > 59) return ` ${cardinal(hour)} ${integer(minuteText)} `;
  if (minute === 0) return ` ${cardinal(hour)} ${meridiem === undefined ? "o'clock" : ""} `;
  return ` ${cardinal(hour)} ${minute < 10 ? "oh " : ""}${cardinal(minute)} `;
}

function number(text: string): string {
  const [whole = "", fraction] = text.split(".");
  const digits = whole.replaceAll(",", "");
  if (fraction !== undefined) return ` ${integer(digits)} point ${spellDigits(fraction)} `;
  const value = Number(text);
  const isYear = text.length === 4 && ((value >= 1100 && value <= 1999) || (value >= 2000 && value <= 2099));
  return ` ${isYear ? year(value) : integer(digits)} `;
}

function tidyMarks(text: string): string {
  const tidy = text
    .replace(/[;:]/gu, ",")
    .replace(/(?<![a-z])'|'(?![a-z])/gu, " ")
    .replace(/[^a-z'.,!?]+/gu, " ")
    .replace(/([a-z])\1{2,}/gu, "$1$1")
    .replace(/\s*([.,!?](?:\s*[.,!?])*)\s*/gu, (_, marks: string) => `${strongest(marks)} `)
    .replace(/^[.,!?\s]+/u, "")
    .trim();
  if (!/[a-z]/.test(tidy)) return "";
  if (tidy.endsWith(",")) return `${tidy.slice(0, -1)}.`;
  return /[.!?]$/.test(tidy) ? tidy : `${tidy}.`;
}

function strongest(marks: string): string {
  return ["?", "!", ".", ","].find((mark) => marks.includes(mark)) ?? "";
}
