import { DialogueError } from "./errors.ts";
import { type ScriptEvent, scanScript } from "./scan.ts";

export { NON_VERBALS } from "./cues.ts";
export { DialogueError, type DialogueErrorCode } from "./errors.ts";

/** Longest script, in UTF-16 units; longest line; most lines: the limits of `SpeechSpec`. */
export const MAX_SCRIPT_LENGTH = 65_536;
export const MAX_LINE_LENGTH = 4000;
export const MAX_LINES = 256;

export interface DialogueCharacter {
  readonly name: string;
  /** Another way to write the name, such as the label on the form. */
  readonly label?: string;
}

export interface DialogueOptions {
  /** Registered characters: the names a script may use. */
  readonly characters: readonly DialogueCharacter[];
  /** Characters of this clip in order: the first speaks `[S1]` and text without a speaker, the second `[S2]` … */
  readonly cast?: readonly string[];
  /** Name of the request's field, for the warnings. */
  readonly field?: string;
}

/** One turn: a character's name, or `S1`/`S2` where neither script nor cast names one. */
export interface DialogueLine {
  speaker: string;
  text: string;
}

export interface DialogueWarning {
  field: string;
  given: string;
  used: string;
  rule: string;
}

export interface Dialogue {
  lines: DialogueLine[];
  warnings: DialogueWarning[];
}

interface Turn {
  tag: number | null;
  name: string | null;
  offset: number;
  spoken: boolean;
}

/**
 * Reads a script as users write it: `[S1]`/`[S2]` tags, `Name:` prefixes with or without tags, one speaker
 * without any mark, cues such as `(laughs)`. Names and tags never end up in a line's text.
 *
 * @throws DialogueError with a stable `code` and the place in the script
 */
export function parseDialogue(source: string, options: DialogueOptions): Dialogue {
  const script = source.replace(/\r\n?/g, "\n");
  if (script.trim() === "") throw new DialogueError("dialogue_empty", "the dialogue is empty.", script, 0);
  if (script.length > MAX_SCRIPT_LENGTH) {
    const message = `the dialogue has ${script.length} characters; at most ${MAX_SCRIPT_LENGTH} are allowed.`;
    throw new DialogueError("dialogue_too_long", message, "", 0);
  }
  const names = new Map<string, string>();
  for (const { name, label } of options.characters) {
    names.set(fold(name), name);
    if (label !== undefined) names.set(fold(label), name);
  }
  const known = options.characters.map(({ name, label }) => label ?? name).join(", ") || "none";
  const { events, notes } = scanScript(script, (name) => names.get(fold(name)) ?? null, known);
  const turns = readTurns(events, script);
  const lines = assignSpeakers(turns, options, known, script);
  if (lines.length === 0) {
    throw new DialogueError("dialogue_empty", "the dialogue has nothing to say.", script, 0);
  }
  const field = options.field ?? "dialogue";
  return { lines, warnings: notes.map((note) => ({ field, ...note })) };
}

type SpokenTurn = { turn: Turn; text: string; offset: number };

/** Joins the pieces of each turn; a line break ends a line, not the turn. */
function readTurns(events: readonly ScriptEvent[], script: string): SpokenTurn[] {
  const spoken: SpokenTurn[] = [];
  let turn: Turn = { tag: null, name: null, offset: 0, spoken: true };
  let open: SpokenTurn | null = null;
  for (const event of events) {
    switch (event.kind) {
      case "break":
        open = null;
        break;
      case "text":
        if (open) open.text += ` ${event.text}`;
        else {
          open = { turn, text: event.text, offset: event.offset };
          spoken.push(open);
        }
        turn.spoken = true;
        break;
      case "name":
        open = null;
        if (!turn.spoken && turn.tag !== null && turn.name === null) turn.name = event.name;
        else {
          if (!turn.spoken) throw emptyLine(turn, script);
          turn = { tag: null, name: event.name, offset: event.offset, spoken: false };
        }
        break;
      case "tag":
        open = null;
        if (!turn.spoken) throw emptyLine(turn, script);
        turn = { tag: event.index, name: null, offset: event.offset, spoken: false };
        break;
    }
  }
  // Dia's users end a script with a bare tag to keep the last word from being clipped.
  const bareTag = turn.name === null && spoken.length > 0;
  if (!turn.spoken && !bareTag) throw emptyLine(turn, script);
  for (const { text, offset, turn: owner } of spoken) {
    if (!/[\p{L}\p{N}]/u.test(text)) throw emptyLine({ ...owner, offset }, script);
    if (text.length > MAX_LINE_LENGTH) {
      const message = `a line has ${text.length} characters; at most ${MAX_LINE_LENGTH} are allowed.`;
      throw new DialogueError("dialogue_too_long", message, script, offset);
    }
  }
  if (spoken.length > MAX_LINES) {
    const message = `the dialogue has ${spoken.length} lines; at most ${MAX_LINES} are allowed.`;
    throw new DialogueError("dialogue_too_long", message, script, spoken[MAX_LINES]?.offset ?? 0);
  }
  return spoken;
}

/** Names win over tags; a bare tag means whoever the script or the cast gives that tag to. */
function assignSpeakers(
  turns: readonly SpokenTurn[],
  options: DialogueOptions,
  known: string,
  script: string,
): DialogueLine[] {
  const owners = new Map<number, string>();
  for (const { turn } of turns) {
    if (turn.tag !== null && turn.name !== null && !owners.has(turn.tag)) owners.set(turn.tag, turn.name);
  }
  const cast = options.cast ?? [];
  return turns.map(({ turn, text }) => {
    const tag = turn.tag ?? 1;
    const speaker = turn.name ?? owners.get(tag) ?? cast[tag - 1];
    if (speaker !== undefined) return { speaker, text };
    if (tag < 1 || tag > 2) {
      const message = `[S${tag}] is bound to no character; write "[S${tag}] Name: …" with one of ${known}.`;
      throw new DialogueError("unknown_speaker", message, script, turn.offset);
    }
    return { speaker: `S${tag}`, text };
  });
}

function emptyLine(turn: Turn, script: string): DialogueError {
  const who = turn.name ?? (turn.tag === null ? "this line" : `[S${turn.tag}]`);
  return new DialogueError("empty_line", `${who} has nothing to say.`, script, turn.offset);
}

function fold(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[\s_-]+/gu, " ")
    .trim();
}
