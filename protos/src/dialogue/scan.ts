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
const ASIDES: Readonly<Record<string, RegExp>> = { "[": BRACKETS, "(": PARENTHESES, "*": ASTERISKS };
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
  return new Scanner(script, resolve, known).scan();
}

class Scanner {
  readonly #script: string;
  readonly #resolve: (name: string) => string | null;
  readonly #known: string;
  readonly #events: ScriptEvent[] = [];
  readonly #notes: Note[] = [];
  #at = 0;
  #text = "";
  #textOffset = 0;
  #place: Place = "line";
  /** The script marks its speakers by name. */
  #named = false;

  constructor(script: string, resolve: (name: string) => string | null, known: string) {
    this.#script = script;
    this.#resolve = resolve;
    this.#known = known;
  }

  scan(): Scan {
    while (this.#at < this.#script.length) {
      const taken = this.#lineBreak() || this.#bullet() || this.#tag() || this.#name() || this.#aside();
      if (!taken) this.#character();
    }
    this.#flush();
    return { events: this.#events, notes: this.#notes };
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#script);
  }

  /** Ends the text before `at`; what follows is the beginning of a line or turn. */
  #mark(event: ScriptEvent, length: number): true {
    this.#flush();
    this.#events.push(event);
    this.#place = "line";
    this.#at += length;
    return true;
  }

  #lineBreak(): boolean {
    return this.#script[this.#at] === "\n" && this.#mark({ kind: "break", offset: this.#at }, 1);
  }

  #bullet(): boolean {
    const bullet = this.#place === "line" ? this.#match(BULLET) : null;
    this.#at += bullet?.[0].length ?? 0;
    return bullet !== null;
  }

  /** `[S1]`, or `S1:` between words. */
  #tag(): boolean {
    const bare = this.#place === "inside" ? null : this.#match(BARE_TAG);
    const tag = bare ?? this.#match(TAG);
    return (
      tag !== null && this.#mark({ kind: "tag", index: Number(tag[1]), offset: this.#at }, tag[0].length)
    );
  }

  /** A speaker's name without brackets. */
  #name(): boolean {
    if (this.#place !== "line" && this.#place !== "sentence") return false;
    const joint = this.#match(JOINT);
    if (joint && [joint[1], joint[2]].every((name) => this.#resolve(name ?? "") !== null)) {
      throw this.#unknown(`${joint[1]} and ${joint[2]}`, `${this.#known}, one to a line`);
    }
    const found = this.#match(NAME);
    const event = found ? this.#speaker(found[1] ?? "", false) : null;
    if (found && event) return this.#mark(event, found[0].length);
    const dashed = this.#place === "line" ? this.#match(DASHED) : null;
    if (!dashed || this.#resolve(dashed[1] ?? "") === null) return false;
    const registered = this.#speaker(dashed[1] ?? "", false);
    return registered !== null && this.#mark(registered, dashed[0].length);
  }

  /** The mark for a name; null where the word is not meant as one. */
  #speaker(written: string, bracketed: boolean): ScriptEvent | null {
    const name = this.#resolve(written);
    if (name !== null) {
      this.#named = true;
      return { kind: "name", name, offset: this.#at };
    }
    // Inside a line, a colon is more likely speech, unless the script marks its speakers by name.
    const expected = bracketed || this.#place === "line" || this.#named;
    if (expected && looksLikeName(written, bracketed)) throw this.#unknown(written, this.#known);
    return null;
  }

  /** Text in brackets or asterisks: a cue, a direction, or a name in square brackets. */
  #aside(): boolean {
    const pattern = ASIDES[this.#script[this.#at] ?? ""];
    const found = pattern ? this.#match(pattern) : null;
    if (!found) return false;
    const [whole, inner = ""] = found;
    const cue = readCue(inner);
    if (cue) {
      this.#append(` ${cue.replacement} `);
      if (cue.dropped) this.#note(whole, "stage directions are not spoken");
    } else if (pattern === BRACKETS) {
      const speaker = this.#speaker(inner.trim(), true);
      if (speaker) return this.#mark(speaker, whole.length);
      this.#flush();
      this.#note(whole, "text in square brackets is not spoken");
    } else return false;
    this.#at += whole.length;
    return true;
  }

  #character(): void {
    const char = this.#script[this.#at] ?? "";
    if (char !== "*") this.#append(char);
    this.#at += 1;
    this.#place = nextPlace(this.#place, char, this.#script[this.#at] ?? " ");
  }

  #append(piece: string): void {
    if (this.#text === "") this.#textOffset = this.#at;
    this.#text += piece;
  }

  #flush(): void {
    const clean = checkCharacters(this.#text, this.#script, this.#textOffset, this.#notes);
    const text = clean.replace(/\s+/gu, " ").trim();
    if (text !== "") this.#events.push({ kind: "text", text, offset: this.#textOffset });
    this.#text = "";
  }

  #note(given: string, rule: string): void {
    this.#notes.push({ given, used: "", rule });
  }

  #unknown(written: string, known: string): DialogueError {
    const message = `unknown speaker "${written}"; the characters are ${known}. If it is to be spoken, leave out the colon or the brackets.`;
    return new DialogueError("unknown_speaker", message, this.#script, this.#at);
  }
}

/** Where the scanner is: names may stand at the beginning of a line or turn, or of a sentence inside one. */
type Place = "line" | "sentence" | "word" | "inside";

/** What the next character may be the beginning of. */
function nextPlace(place: Place, char: string, next: string): Place {
  if (/[.!?…]/u.test(char)) return /[\s"”'’)\]*]/u.test(next) ? "sentence" : "inside";
  if (/["“”'’()*_]/u.test(char)) return place;
  if (/\s/u.test(char)) return place === "inside" ? "word" : place;
  return "inside";
}

function looksLikeName(written: string, singleWordOnly: boolean): boolean {
  const words = written.split(/[ \t]/u);
  if (words.some((word) => NOT_NAMES.has(word.toLowerCase()))) return false;
  const capital = words.every((word) => /^\p{Lu}/u.test(word));
  return words.length === 1 ? !singleWordOnly || capital : capital && !singleWordOnly;
}
