/// <reference path="./text-imports.d.ts" />
// Imported, not read from disk, so that the compiled edge carries them.

import postgres0001 from "../../migrations/postgres/0001_jobs.sql" with { type: "text" };
import postgres0002 from "../../migrations/postgres/0002_keys_and_usage.sql" with { type: "text" };
import postgres0003 from "../../migrations/postgres/0003_webhooks.sql" with { type: "text" };
import postgres0004 from "../../migrations/postgres/0004_nodes_and_characters.sql" with { type: "text" };
import postgres0005 from "../../migrations/postgres/0005_characters_and_assets.sql" with { type: "text" };
import postgres0006 from "../../migrations/postgres/0006_storyboards.sql" with { type: "text" };
import postgres0007 from "../../migrations/postgres/0007_speech_parts.sql" with { type: "text" };
import postgres0008 from "../../migrations/postgres/0008_shares_of_keys.sql" with { type: "text" };
import sqlite0001 from "../../migrations/sqlite/0001_jobs.sql" with { type: "text" };
import sqlite0002 from "../../migrations/sqlite/0002_keys_and_usage.sql" with { type: "text" };
import sqlite0003 from "../../migrations/sqlite/0003_webhooks.sql" with { type: "text" };
import sqlite0004 from "../../migrations/sqlite/0004_nodes_and_characters.sql" with { type: "text" };
import sqlite0005 from "../../migrations/sqlite/0005_characters_and_assets.sql" with { type: "text" };
import sqlite0006 from "../../migrations/sqlite/0006_storyboards.sql" with { type: "text" };
import sqlite0007 from "../../migrations/sqlite/0007_speech_parts.sql" with { type: "text" };
import sqlite0008 from "../../migrations/sqlite/0008_shares_of_keys.sql" with { type: "text" };
import { VerbError } from "../errors.ts";

const MIGRATIONS = {
  sqlite: [
    ["0001_jobs", sqlite0001],
    ["0002_keys_and_usage", sqlite0002],
    ["0003_webhooks", sqlite0003],
    ["0004_nodes_and_characters", sqlite0004],
    ["0005_characters_and_assets", sqlite0005],
    ["0006_storyboards", sqlite0006],
    ["0007_speech_parts", sqlite0007],
    ["0008_shares_of_keys", sqlite0008],
  ],
  postgres: [
    ["0001_jobs", postgres0001],
    ["0002_keys_and_usage", postgres0002],
    ["0003_webhooks", postgres0003],
    ["0004_nodes_and_characters", postgres0004],
    ["0005_characters_and_assets", postgres0005],
    ["0006_storyboards", postgres0006],
    ["0007_speech_parts", postgres0007],
    ["0008_shares_of_keys", postgres0008],
  ],
} as const;

export interface Migration {
  version: number;
  name: string;
  sql: string;
}

/** The migrations of a dialect in order, from `migrations/<dialect>/0001_name.sql`. */
export function loadMigrations(dialect: "sqlite" | "postgres"): Migration[] {
  return MIGRATIONS[dialect].map(([name, sql]) => ({ version: Number.parseInt(name, 10), name, sql }));
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
