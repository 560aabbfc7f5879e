import { getTableColumns, getTableName } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import { prepared } from "./prepared.ts";
import type { Tx, Verb } from "./verb.ts";

interface Plan {
  head: string;
  columns: { key: string; name: string; decode: (value: unknown) => unknown }[];
}

const plans = new WeakMap<PgTable, Plan>();

/**
 * Whole rows by a statement that is prepared once: for the questions that readers ask thousands of times a second,
 * where the query builder would spend more time on its text than the database on its answer.
 *
 * @param tail what follows the table's name, with `?` for parameters, e.g. `where job_id = ? order by name`
 */
export function* selectRows<T extends PgTable>(
  tx: Tx,
  table: T,
  tail: string,
  params: unknown[],
): Verb<T["$inferSelect"][]> {
  const plan = plans.get(table) ?? makePlan(table);
  plans.set(table, plan);
  const found = yield* prepared(tx, `${plan.head} ${tail}`, params);
  return found.map((row) => decodeRow(plan, row) as T["$inferSelect"]);
}

function makePlan(table: PgTable): Plan {
  const columns = Object.entries(getTableColumns(table));
  const names = columns.map(([, column]) => `"${column.name}"`).join(", ");
  return {
    head: `select ${names} from "${getTableName(table)}"`,
    columns: columns.map(([key, column]) => ({
      key,
      name: column.name,
      decode: (value) => column.mapFromDriverValue(value),
    })),
  };
}

function decodeRow({ columns }: Plan, row: Record<string, unknown>): Record<string, unknown> {
  const decoded: Record<string, unknown> = {};
  for (const { key, name, decode } of columns) {
    const value = row[name];
    decoded[key] = value === null || value === undefined ? null : decode(value);
  }
  return decoded;
}
