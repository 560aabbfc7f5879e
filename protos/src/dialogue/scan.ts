import { checkCharacters } from "./characters.ts";
import { readCue } from "./cues.ts";
import { DialogueError } from "./errors.ts";
import {
  ALONE,
  ASIDES,
  BARE_TAG,
  BRACKETS,
  BULLET,
  DASHED,
  HEADING,
  JOINT,
  NAME,
  NOT_NAMES,
  NUMBERING,
  REPORTING,
  RULE,
  TAG,
} from "./patterns.ts";

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
  #marksByName = false;

  constructor(script: string, resolve: (name: string) => string | null, known: string) {
    this.#script = script;
    this.#resolve = resolve;
    this.#known = known;
  }

  scan(): Scan {
    while (this.#at < this.#script.length) {
      const taken = this.#lineBreak() || this.#ornament() || this.#tag() || this.#name() || this.#aside();
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

  /** What stands at the beginning of lines in lists and screenplays, and is not speech. */
  #ornament(): boolean {
    if (this.#place !== "line") return false;
    const heading = this.#match(HEADING);
    if (heading) this.#note(heading[0], "headings are not spoken");
    const found = heading ?? this.#match(RULE) ?? this.#match(BULLET) ?? this.#numbering();
    this.#at += found?.[0].length ?? 0;
    return found !== null;
  }

  /** A number counts as one where a mark follows; else it is said. */
  #numbering(): RegExpExecArray | null {
    const number = this.#match(NUMBERING);
    if (!number) return null;
    const start = this.#at;
    this.#at += number[0].length;
    const marked = (this.#match(TAG) ?? this.#match(BARE_TAG)) !== null || this.#named(NAME) !== null;
    this.#at = start;
    return marked ? number : null;
  }

  /** `[S1]`, `[S1: Temo]`, or `S1:` between words. */
  #tag(): boolean {
    const bare = this.#place === "inside" ? null : this.#match(BARE_TAG);
    const tag = bare ?? this.#match(TAG);
    if (!tag) return false;
    const [whole, index, name] = tag;
    const offset = this.#at;
    const speaker = name === undefined ? null : this.#resolve(name);
    if (name !== undefined && speaker === null) throw this.#unknown(name, this.#known);
    this.#mark({ kind: "tag", index: Number(index), offset }, whole.length);
    if (speaker !== null) this.#mark({ kind: "name", name: speaker, offset }, 0);
    return true;
  }

  /** A match of the pattern whose name is registered. */
  #named(pattern: RegExp): { name: string; length: number } | null {
    const found = this.#match(pattern);
    const name = found ? this.#resolve(found[1] ?? "") : null;
    return found && name !== null ? { name, length: found[0].length } : null;
  }

  /** A speaker's name without brackets. */
  #name(): boolean {
    if (this.#place === "inside") return false;
    if (this.#place === "word") return this.#nameInside();
    const joint = this.#match(JOINT);
    const listed = joint !== null && (this.#place === "line" || !joint[0].includes(","));
    if (joint && listed && [joint[1], joint[2]].every((name) => this.#resolve(name ?? "") !== null)) {
      throw this.#unknown(`${joint[1]} and ${joint[2]}`, `${this.#known}, one to a line`);
    }
    const found = this.#match(NAME);
    const event = found ? this.#speaker(found[1] ?? "", false) : null;
    if (found && event) return this.#mark(event, found[0].length);
    if (this.#place !== "line") return false;
    const registered = this.#named(DASHED) ?? this.#named(ALONE);
    return registered !== null && this.#markName(registered);
  }

  /** A name and a colon in the middle of a line of a script that marks its speakers so. */
  #nameInside(): boolean {
    if (!this.#marksByName) return false;
    const before = /([\p{L}'’]{1,40})[^\p{L}]{0,8}$/u.exec(this.#text.slice(-60))?.[1] ?? "";
    if (REPORTING.has(before.toLowerCase())) return false;
    const registered = this.#named(NAME);
    return registered !== null && this.#markName(registered);
  }

  #markName({ name, length }: { name: string; length: number }): true {
    this.#marksByName = true;
    return this.#mark({ kind: "name", name, offset: this.#at }, length);
  }

  /** The mark for a name; null where the word is not meant as one. */
  #speaker(written: string, bracketed: boolean): ScriptEvent | null {
    const name = this.#resolve(written);
    if (name !== null) {
      this.#marksByName = true;
      return { kind: "name", name, offset: this.#at };
    }
    // `Hello Felfel: …`: what follows the first word is a mark of its own.
    const ends = written.split(/[ \t]/u).slice(1);
    if (ends.some((_, i) => this.#resolve(ends.slice(i).join(" ")) !== null)) return null;
    // Inside a line, a colon is more likely speech, unless the script marks its speakers by name.
    const expected = bracketed || this.#place === "line" || this.#marksByName;
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
  if (words.length > 2) return false;
  return words.length === 1 ? !singleWordOnly || capital : capital && !singleWordOnly;
}
