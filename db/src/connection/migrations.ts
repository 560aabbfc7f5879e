import { readdirSync, readFileSync } from "node:fs";
import { VerbError } from "../errors.ts";

export interface Migration {
  version: number;
  name: string;
  sql: string;
}

/** The migrations of a dialect in order, from `migrations/<dialect>/0001_name.sql`. */
export function loadMigrations(dialect: "sqlite" | "postgres"): Migration[] {
  const folder = new URL(`../../migrations/${dialect}/`, import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
  return files.sort().map((file) => ({
    version: Number.parseInt(file, 10),
    name: file.slice(0, -".sql".length),
    sql: readFileSync(new URL(file, folder), "utf8"),
  }));
}

/** What is still to be applied. Throws when the database is newer than this software. */
export function pendingMigrations(all: Migration[], current: number): Migration[] {
  const known = all.at(-1)?.version ?? 0;
  if (current > known) {
    throw new VerbError(
      "database_newer",
      `The database has schema version ${current}, this software knows versions up to ${known}. ` +
        "Run the newer software, or restore a backup made before the upgrade.",
      { database: current, software: known },
    );
  }
  return all.filter((migration) => migration.version > current);
}

export const CREATE_MIGRATIONS_TABLE =
  "create table if not exists schema_migrations (version integer primary key, name text not null, applied_at bigint not null)";
export const CURRENT_VERSION = "select coalesce(max(version), 0) as version from schema_migrations";
