import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../lib/root.ts";

const text = (file: string) => readFileSync(join(root, file), "utf8");
const rows = text("docs/dialects.md")
  .split("\n")
  .filter((line) => /^\|.*\.test\.ts`/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));

function npmVersions(): Map<string, string> {
  const files = ["package.json", "edge/package.json", "gpu-pool/package.json", "scripts/package.json"];
  return new Map(
    files.flatMap((file) => {
      const { dependencies = {}, devDependencies = {} } = JSON.parse(text(file));
      return Object.entries<string>({ ...dependencies, ...devDependencies });
    }),
  );
}

function pypiVersions(): Map<string, string> {
  const lines = text("edge/test/python/requirements.txt").trim().split("\n");
  return new Map(lines.map((line) => line.split("==") as [string, string]));
}

test("the table of dialects names the versions that are installed, and tests that exist", () => {
  const installed = { npm: npmVersions(), PyPI: pypiVersions() };
  expect(rows.length).toBeGreaterThan(20);
  let clients = 0;
  for (const [, , , client = "", version = "", , tests = ""] of rows) {
    const named = [...client.matchAll(/`([^`]+)`(?: \(([^)]+)\))?/g)];
    // "`a` and `b` (npm)": the place after the last one holds for both.
    const versions = version.split(", ");
    named.forEach(([, name = "", where], index) => {
      const place = where ?? named.slice(index).find(([, , later]) => later)?.[2];
      if (place !== "npm" && place !== "PyPI") return;
      clients += 1;
      expect(versions[index], `${name} (${place})`).toBe(installed[place].get(name) ?? "not installed");
    });
    for (const [, file = ""] of tests.matchAll(/`([^`]+)`/g))
      expect(existsSync(join(root, file)), file).toBe(true);
  }
  expect(clients).toBeGreaterThan(15);
});
