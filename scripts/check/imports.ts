/** One import of a file. */
export interface ImportOf {
  specifier: string;
  /** Erased before the program runs. */
  typeOnly: boolean;
}

const STATIC = /^\s*(?:import|export)\b(\s+type\b)?[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm;
const BARE = /^\s*import\s*["']([^"']+)["']/gm;
const CALLS = /\b(?:import|require)\s*\(\s*["']([^"']+)["']\s*\)/g;

/** Every import, re-export, dynamic import and require of a source text. */
export function importsOf(source: string): ImportOf[] {
  const found: ImportOf[] = [];
  for (const [, type, specifier] of source.matchAll(STATIC)) {
    if (specifier !== undefined) found.push({ specifier, typeOnly: type !== undefined });
  }
  for (const pattern of [BARE, CALLS]) {
    for (const [, specifier] of source.matchAll(pattern)) {
      if (specifier !== undefined) found.push({ specifier, typeOnly: false });
    }
  }
  return found;
}
