import type { Tx, Verb } from "./verb.ts";

const numbered = new Map<string, string>();

/**
 * A statement as text with `?` for its parameters, the same for both databases, prepared once. For the few that run
 * at every submission: there the query builder would cost more than the database. Rows have the columns' own names,
 * and numbers of 8 bytes may come as text.
 */
export function* prepared(tx: Tx, text: string, params: unknown[]): Verb<Record<string, unknown>[]> {
  return (yield tx.raw(tx.dialect === "sqlite" ? text : withNumbers(text), params)) as Record<
    string,
    unknown
  >[];
}

/** `in` over a list that is one parameter, `JSON.stringify` of texts: one statement whatever the list's length. */
export const inList = (tx: Tx): string =>
  tx.dialect === "sqlite"
    ? "in (select value from json_each(?))"
    : "in (select json_array_elements_text(?::text::json))";

function withNumbers(text: string): string {
  const known = numbered.get(text);
  if (known !== undefined) return known;
  let parameter = 0;
  const made = text.replace(/\?/g, () => `$${++parameter}`);
  numbered.set(text, made);
  return made;
}
