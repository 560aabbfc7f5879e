import { DialogueError } from "./errors.ts";
import type { Note } from "./scan.ts";

const INVISIBLE = /\p{Cf}|\p{Variation_Selector}/gu;
const PICTOGRAPH = /[\p{Extended_Pictographic}\p{So}\p{Co}\p{Emoji_Modifier}]/u;
const FOREIGN =
  /[\p{Cc}\p{Cs}\p{Cn}\ufffd]|(?![\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}])[\p{L}\p{N}\p{M}]/u;

/**
 * Leaves out what cannot be spoken but does no harm (emoji, zero-width characters), refuses what would be
 * read wrongly: control characters and letters of other scripts than Latin.
 * @throws DialogueError unsupported_characters
 */
export function checkCharacters(text: string, script: string, offset: number, notes: Note[]): string {
  const dropped = new Set<string>();
  let clean = "";
  for (const char of text.replace(INVISIBLE, "")) {
    if (/\s/u.test(char)) clean += " ";
    else if (isPictograph(char)) dropped.add(char);
    else if (FOREIGN.test(char)) {
      const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      const shown = /[\p{L}\p{N}]/u.test(char) ? `"${char}" (U+${code})` : `U+${code}`;
      const place = Math.max(script.indexOf(char, offset), offset);
      const message = `the character ${shown} cannot be spoken; the voices speak English, in Latin letters.`;
      throw new DialogueError("unsupported_characters", message, script, place);
    } else clean += char;
  }
  if (dropped.size > 0)
    notes.push({ given: [...dropped].join(" "), used: "", rule: "symbols and emoji are not spoken" });
  return clean;
}

/** Emoji and other symbols; digits, `#`, `*`, `©` and `°` have the emoji property too but are text. */
function isPictograph(char: string): boolean {
  return PICTOGRAPH.test(char) && !/[\p{N}#*©®™°]/u.test(char);
}
