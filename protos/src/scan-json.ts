const [QUOTE, BACKSLASH, COMMA, COLON, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = Array.from(
  '"\\,:{}[]',
  (char) => char.charCodeAt(0),
);

export interface JsonLimits {
  /** How deep lists and objects may be nested. */
  depth: number;
  /** Values in all, about. */
  values: number;
}

/**
 * Looks over JSON from a stranger before it is parsed: a few megabytes of brackets would be hundreds of megabytes of
 * objects. It need not be valid.
 * @returns keys of the outermost object, with repetition: JSON.parse keeps the last of two equal ones silently
 * @throws RangeError naming the limit
 */
export function scanJson(bytes: Uint8Array, limits: JsonLimits): { keys: number } {
  let depth = 0;
  let keys = 0;
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case QUOTE:
        for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        values++;
        if (++depth > limits.depth) throw new RangeError(`nested more than ${limits.depth} deep`);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth--;
        break;
      case COMMA:
        values++;
        break;
      case COLON:
        if (depth === 1) keys++;
    }
    if (values > limits.values) throw new RangeError(`more than ${limits.values} values`);
  }
  return { keys };
}
