/**
 * Splits a prompt that carries its dialogue, for dialects with one text field: from the first speaker tag on,
 * everything is spoken.
 */
export function splitPrompt(text: string): { prompt: string; dialogue?: string } {
  const start = text.search(/\[S[12]\]/);
  if (start < 0) return { prompt: text };
  const prompt = text.slice(0, start).trim();
  return { prompt: prompt || "temo and felfel talking", dialogue: text.slice(start).trim() };
}
