/** A stretch of a prompt with the weight of its tokens. */
export interface WeightedText {
  text: string;
  weight: number;
}

const STEP = 1.1;
/** Beyond this a weight only breaks the picture, so that "((((((…" or "(x:1e9)" stay harmless. */
const MAX_WEIGHT = 4;
const EXPLICIT = /^:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)/;

/**
 * Reads the emphasis that picture prompts use: `(x)` ×1.1, `[x]` ÷1.1, `(x:1.3)` ×1.3, nested freely, `\(` for a
 * plain bracket. Brackets left open count to the end of the prompt; a closing one without its opening is text.
 * (Grammar of AUTOMATIC1111/stable-diffusion-webui, modules/prompt_parser.py.)
 */
export function parsePromptWeights(prompt: string): WeightedText[] {
  const parts: WeightedText[] = [];
  const open: { bracket: "(" | "["; from: number }[] = [];
  const push = (text: string) => {
    const last = parts.at(-1);
    if (last && last.weight === 1 && !open.some((entry) => entry.from === parts.length)) last.text += text;
    else parts.push({ text, weight: 1 });
  };
  const close = (bracket: "(" | "[", factor: number): boolean => {
    if (open.at(-1)?.bracket !== bracket) return false;
    const { from } = open.pop() ?? { from: parts.length };
    for (const part of parts.slice(from)) part.weight *= factor;
    // What follows must not be joined to what the bracket held.
    parts.push({ text: "", weight: 1 });
    return true;
  };
  for (let i = 0; i < prompt.length; i++) {
    const char = prompt.charAt(i);
    if (char === "\\" && /[()[\]\\]/.test(prompt.charAt(i + 1))) {
      push(prompt.charAt(++i));
    } else if (char === "(" || char === "[") {
      open.push({ bracket: char, from: parts.length });
    } else if (char === ":" && open.at(-1)?.bracket === "(") {
      const match = EXPLICIT.exec(prompt.slice(i, i + 24));
      if (match) {
        close("(", Number(match[1]));
        i += match[0].length - 1;
      } else push(char);
    } else if (char === ")" || char === "]") {
      if (!(char === ")" ? close("(", STEP) : close("[", 1 / STEP))) push(char);
    } else push(char);
  }
  for (const { bracket, from } of open)
    for (const part of parts.slice(from)) part.weight *= bracket === "(" ? STEP : 1 / STEP;
  return parts
    .filter((part) => part.text.trim() !== "")
    .map((part) => ({ text: part.text, weight: Math.min(MAX_WEIGHT, Math.max(0, part.weight)) }));
}
