import { checkCharacters } from "./characters.ts";
import { readCue } from "./cues.ts";
import { DialogueError } from "./errors.ts";

export type ScriptEvent =
  | { readonly kind: "tag"; readonly index: number; readonly offset: number }
  | { readonly kind: "name"; readonly name: string; readonly offset: number }
  | { readonly kind: "text"; readonly text: string; readonly offset: number }
  | { readonly kind: "break"; readonly offset: number };

export interface Note {
  readonly given: string;
  readonly used: string;
  readonly rule: string;
}

export interface Scan {
  readonly events: ScriptEvent[];
  readonly notes: Note[];
}

const TAG = /\[\s*(?:s|speaker)\s*(\d{1,3})\s*\](?:[ \t]*[:：])?/iuy;
const BRACKETS = /\[([^[\]\n]{1,80})\](?:[ \t]*[:：])?/uy;
const PARENTHESES = /\(([^()\n]{1,80})\)/uy;
const ASTERISKS = /\*([^*\n]{1,80})\*/uy;
const WORD = "\\p{L}[\\p{L}\\p{M}\\p{N}_'’-]{0,40}";
const VERB = "says|said|asks|asked|replies|replied|answers|answered|whispers|shouts";
const NAME = new RegExp(
  `[*_"“]{0,3}(${WORD}(?:[ \\t](?!(?:${VERB}|[sS]\\d{1,3})[ \\t]{0,4}[:：])${WORD})?)["”]?` +
    `(?:[ \\t](?:${VERB}))?[ \\t]{0,4}(?:\\([^()\\n]{0,60}\\))?[ \\t]{0,4}[*_"”]{0,3}[:：][*_]{0,2}` +
    `(?=[\\s"“'(*[]|\\p{L}|$)`,
  "uy",
);
/** `Temo - hello` and `(Temo) hello`: only a registered name counts in these forms. */
const DASHED = new RegExp(`\\(?(${WORD}(?:[ \\t]${WORD})?)(?:\\)[ \\t]|[ \\t]{1,4}[–—-]{1,2}[ \\t])`, "uy");
const JOINT = new RegExp(`(${WORD})[ \\t]{1,4}(?:&|and|\\+)[ \\t]{1,4}(${WORD})[ \\t]{0,4}[:：]`, "uy");
const BARE_TAG = /s(\d{1,3})[ \t]?[:：](?=\s|\p{L})/iuy;
const BULLET = /[-–—•][ \t]+/uy;

/** Words that stand before a colon in ordinary speech. */
const NOT_NAMES = new Set(
  (
    "note notice warning caution danger attention alert remember listen look wait stop hint tip fact rule idea plan " +
    "question answer problem solution result reason example conclusion summary breaking news update subject " +
    "time date place location score status re ps fyi url website email phone address price total mission " +
    "step chapter part level day log option choice goal fun but so and or because then now today tonight " +
    "well yes no okay ok right wrong ready first second third fourth next last finally also plus this that these " +
    "those here there what who why how when where is it me you us them one two three four five six seven eight nine ten"
  ).split(" "),
);

/**
 * Splits a script into speaker marks, spoken text and line breaks.
 *
 * A name counts as a mark at the start of a line, after a tag and after the end of a sentence. A word with
 * a colon there that names no registered character is an error, unless it is one of the words that people
 * put before a colon when they talk.
 * @param resolve registered name for what the user wrote, or null
 * @throws DialogueError unknown_speaker, unsupported_characters
 */
export function scanScript(script: string, resolve: (name: string) => string | null, known: string): Scan {
  const events: ScriptEvent[] = [];
  const notes: Note[] = [];
  let text = "";
  let textOffset = 0;
  /** Where a name may stand: the beginning of a line or turn, or of a sentence inside one. */
  let place: Place = "line";
  let named = false;

  const flush = () => {
    const clean = checkCharacters(text, script, textOffset, notes).replace(/\s+/gu, " ").trim();
    if (clean !== "") events.push({ kind: "text", text: clean, offset: textOffset });
    text = "";
  };
  const append = (piece: string, offset: number) => {
    if (text === "") textOffset = offset;
    text += piece;
  };
  const speakerMark = (written: string, offset: number, bracketed: boolean): ScriptEvent | null => {
    const name = resolve(written);
    if (name !== null) {
      named = true;
      return { kind: "name", name, offset };
    }
    // Inside a line, a colon is more likely speech, unless the script marks its speakers by name.
    const expected = bracketed || place === "line" || named;
    if (expected && looksLikeName(written, bracketed)) throw unknownSpeaker(written, known, script, offset);
    return null;
  };
  /** A speaker mark without brackets at `at`. */
  const unbracketed = (at: number): { event: ScriptEvent; length: number } | null => {
    const tag = place === "inside" ? null : match(BARE_TAG, script, at);
    if (tag) return { event: { kind: "tag", index: Number(tag[1]), offset: at }, length: tag[0].length };
    if (place !== "line" && place !== "sentence") return null;
    const joint = match(JOINT, script, at);
    if (joint && resolve(joint[1] ?? "") !== null && resolve(joint[2] ?? "") !== null) {
      throw unknownSpeaker(`${joint[1]} and ${joint[2]}`, `${known}, one to a line`, script, at);
    }
    const name = match(NAME, script, at);
    const event = name ? speakerMark(name[1] ?? "", at, false) : null;
    if (name && event) return { event, length: name[0].length };
    const dashed = place === "line" ? match(DASHED, script, at) : null;
    const registered = dashed ? resolve(dashed[1] ?? "") : null;
    if (!dashed || registered === null) return null;
    named = true;
    return { event: { kind: "name", name: registered, offset: at }, length: dashed[0].length };
  };

  let at = 0;
  while (at < script.length) {
    const char = script[at] ?? "";
    if (char === "\n") {
      flush();
      events.push({ kind: "break", offset: at });
      place = "line";
      at += 1;
      continue;
    }
    const bullet = place === "line" ? match(BULLET, script, at) : null;
    if (bullet) {
      at += bullet[0].length;
      continue;
    }
    const tag = char === "[" ? match(TAG, script, at) : null;
    if (tag) {
      flush();
      events.push({ kind: "tag", index: Number(tag[1]), offset: at });
      place = "line";
      at += tag[0].length;
      continue;
    }
    const mark = unbracketed(at);
    if (mark) {
      flush();
      events.push(mark.event);
      place = "line";
      at += mark.length;
      continue;
    }
    const aside = matchAside(char, script, at);
    const cue = aside ? readCue(aside.inner) : null;
    if (aside && cue) {
      append(` ${cue.replacement} `, at);
      if (cue.dropped) notes.push({ given: aside.whole, used: "", rule: "stage directions are not spoken" });
      at += aside.whole.length;
      continue;
    }
    if (aside && char === "[") {
      const bracketed = speakerMark(aside.inner.trim(), at, true);
      flush();
      if (bracketed) {
        events.push(bracketed);
        place = "line";
      } else notes.push({ given: aside.whole, used: "", rule: "text in square brackets is not spoken" });
      at += aside.whole.length;
      continue;
    }
    if (char !== "*") append(char, at);
    place = nextPlace(place, char, script[at + 1] ?? " ");
    at += 1;
  }
  flush();
  return { events, notes };
}

type Place = "line" | "sentence" | "word" | "inside";

/** What the next character may be the beginning of. */
function nextPlace(place: Place, char: string, next: string): Place {
  if (/[.!?…]/u.test(char)) return /[\s"”'’)\]*]/u.test(next) ? "sentence" : "inside";
  if (/["“”'’()*_]/u.test(char)) return place;
  if (/\s/u.test(char)) return place === "inside" ? "word" : place;
  return "inside";
}

function match(pattern: RegExp, script: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(script);
}

function matchAside(char: string, script: string, at: number): { whole: string; inner: string } | null {
  const pattern = char === "[" ? BRACKETS : char === "(" ? PARENTHESES : char === "*" ? ASTERISKS : null;
  const found = pattern ? match(pattern, script, at) : null;
  return found ? { whole: found[0], inner: found[1] ?? "" } : null;
}

function looksLikeName(written: string, singleWordOnly: boolean): boolean {
  const words = written.split(/[ \t]/u);
  if (words.some((word) => NOT_NAMES.has(word.toLowerCase()))) return false;
  const capital = words.every((word) => /^\p{Lu}/u.test(word));
  return words.length === 1 ? !singleWordOnly || capital : capital && !singleWordOnly;
}

function unknownSpeaker(written: string, known: string, script: string, offset: number): DialogueError {
  const message = `unknown speaker "${written}"; the characters are ${known}. If it is to be spoken, leave out the colon or the brackets.`;
  return new DialogueError("unknown_speaker", message, script, offset);
}
