import { getTableColumns, getTableName } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import type { Tx, Verb } from "./verb.ts";

/** Rows of one statement on Postgres: powers of two, so that few different statements are ever prepared. */
const LARGEST_CHUNK = 64;

interface Plan {
  keys: string[];
  encode: ((value: unknown) => unknown)[];
  head: string;
  tails: Map<number, string>;
}

const plans = new WeakMap<PgTable, Plan>();

/**
 * Inserts whole rows by statements that are prepared once. The query builder would spend more time on the text of
 * an insert of many columns than the database on its rows.
 *
 * @param tail e.g. `on conflict do nothing returning id`
 * @returns what the tail returns
 */
export function* insertRows<T extends PgTable>(
  tx: Tx,
  table: T,
  rows: T["$inferSelect"][],
  tail = "",
): Verb<Record<string, unknown>[]> {
  const plan = plans.get(table) ?? makePlan(table);
  plans.set(table, plan);
  const returned: Record<string, unknown>[] = [];
  let from = 0;
  while (from < rows.length) {
    const count = tx.dialect === "sqlite" ? 1 : chunkOf(rows.length - from);
    const params = rows.slice(from, from + count).flatMap((row) => encodeRow(plan, row));
    const text = `${plan.head}${valuesOf(plan, tx.dialect, count)}${tail}`;
    const found = (yield tx.raw(text, params)) as Record<string, unknown>[];
    returned.push(...found);
    from += count;
  }
  return returned;
}

function chunkOf(left: number): number {
  return Math.min(LARGEST_CHUNK, 2 ** Math.floor(Math.log2(left)));
}

function makePlan(table: PgTable): Plan {
  const columns = Object.entries(getTableColumns(table));
  const names = columns.map(([, column]) => `"${column.name}"`).join(", ");
  return {
    keys: columns.map(([key]) => key),
    encode: columns.map(
      ([, column]) =>
        (value) =>
          value === null ? null : column.mapToDriverValue(value),
    ),
    head: `insert into "${getTableName(table)}" (${names}) values `,
    tails: new Map(),
  };
}

function valuesOf({ keys, tails }: Plan, dialect: Tx["dialect"], count: number): string {
  const known = tails.get(count);
  if (known !== undefined) return known;
  let parameter = 0;
  const place = () => (dialect === "sqlite" ? "?" : `$${++parameter}`);
  const row = () => `(${keys.map(place).join(", ")})`;
  const text = `${Array.from({ length: count }, row).join(", ")} `;
  tails.set(count, text);
  return text;
}

function encodeRow({ keys, encode }: Plan, row: Record<string, unknown>): unknown[] {
  return keys.map((key, i) => encode[i]?.(row[key] ?? null));
}
