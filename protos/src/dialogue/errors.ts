export type DialogueErrorCode =
  | "dialogue_empty"
  | "dialogue_too_long"
  | "empty_line"
  | "unknown_speaker"
  | "unsupported_characters";

/** A script that cannot be spoken; `message` names the place and the way out. */
export class DialogueError extends Error {
  override readonly name = "DialogueError";
  readonly code: DialogueErrorCode;
  /** Line and column of the script, from 1. */
  readonly line: number;
  readonly column: number;

  constructor(code: DialogueErrorCode, message: string, script: string, offset: number) {
    const before = script.slice(0, offset);
    const line = before.split("\n").length;
    const column = offset - before.lastIndexOf("\n");
    super(`line ${line}, column ${column}: ${message}`);
    this.code = code;
    this.line = line;
    this.column = column;
  }
}
