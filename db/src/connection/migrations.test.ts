import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { loadMigrations } from "./migrations.ts";

for (const dialect of ["sqlite", "postgres"] as const)
  test(`every file of migrations/${dialect} is imported, in order`, () => {
    const folder = new URL(`../../migrations/${dialect}/`, import.meta.url);
    const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
    const migrations = loadMigrations(dialect);
    expect(migrations.map(({ name }) => `${name}.sql`)).toEqual(files.sort());
    expect(migrations.map(({ version }) => version)).toEqual(files.map((_, index) => index + 1));
    for (const { sql } of migrations) expect(sql.length).toBeGreaterThan(20);
  });
