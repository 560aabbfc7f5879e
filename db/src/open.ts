import { openPostgres } from "./connection/postgres.ts";
import { openSqlite } from "./connection/sqlite.ts";
import type { Database, DatabaseOptions } from "./database.ts";

/**
 * Opens a database and brings its schema up to date.
 *
 * @param url `postgres://…`, `sqlite:path/to/file.db`, a path, or `:memory:`
 * @throws VerbError `database_newer` when a newer version of this software has migrated it
 */
export async function openDatabase(url: string, options: DatabaseOptions = {}): Promise<Database> {
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url, options);
  return openSqlite(url.replace(/^sqlite:(\/\/)?/, ""), options);
}
