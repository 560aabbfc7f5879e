import type { CharacterManifest, ClipSpec, Warning } from "@cartoon/protos";

export interface ChosenCharacter {
  manifest: CharacterManifest;
  weight: number;
}

/** The LoRA weight of a character alone or beside others, from the pack. */
export function defaultWeight(character: CharacterManifest, count: number): number {
  return count > 1 ? character.pair_weight : character.weight;
}

/**
 * The characters of a clip. Without a choice (absent or empty) they are those that the prompt names by a trigger
 * word.
 * @throws Error naming the pack's characters when one is unknown or named twice
 */
export function chooseCharacters(
  known: readonly CharacterManifest[],
  chosen: ClipSpec["characters"] | undefined,
  prompt: string,
): ChosenCharacter[] {
  if (!chosen || chosen.length === 0) {
    const named = known.filter((character) => names(prompt, character));
    return named.map((manifest) => ({ manifest, weight: defaultWeight(manifest, named.length) }));
  }
  const seen = new Set<string>();
  return chosen.map(({ name, weight }) => {
    const manifest = known.find((character) => character.name === name);
    if (!manifest) {
      const list = known.map((character) => character.name).join(", ") || "none";
      throw new Error(`characters: "${name}" is not a character of this pack (${list})`);
    }
    if (seen.has(name)) throw new Error(`characters: "${name}" is there twice`);
    seen.add(name);
    return { manifest, weight };
  });
}

/** Puts the first trigger word of every chosen character that a prompt does not name before it. */
export function addTriggers(
  prompt: string,
  characters: readonly ChosenCharacter[],
): { prompt: string; warnings: Warning[] } {
  const missing = characters.filter(
    ({ manifest }) => manifest.triggers.length > 0 && !names(prompt, manifest),
  );
  if (missing.length === 0) return { prompt, warnings: [] };
  const used = `${missing.map(({ manifest }) => manifest.triggers[0]).join(" and ")} ${prompt}`;
  const rule = "a chosen character that the prompt does not name is put before it";
  return { prompt: used, warnings: [{ field: "prompt", given: prompt, used, rule }] };
}

function names(prompt: string, { triggers }: CharacterManifest): boolean {
  const words = prompt.toLowerCase();
  return triggers.some((trigger) => {
    const at = words.indexOf(trigger.toLowerCase());
    return at >= 0 && !isLetter(words.charAt(at - 1)) && !isLetter(words.charAt(at + trigger.length));
  });
}

function isLetter(char: string): boolean {
  return /^[\p{L}\p{N}]$/u.test(char);
}
