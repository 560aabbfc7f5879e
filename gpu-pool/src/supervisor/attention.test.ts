import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ATTENTION, fastestAttention } from "./attention.ts";

setDefaultTimeout(60_000);

let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "cartoon-attention-"));
});
afterAll(() => rm(cacheDir, { recursive: true, force: true }));

const question = (key: string, more: object = {}) => ({
  ...{ key, cacheDir, env: process.env, args: ["cpu", "0.02"] },
  ...more,
});

test("a card is measured once, by real sessions, and the answer is kept", async () => {
  const first = await fastestAttention(question("card A"));
  expect(Object.keys(ATTENTION)).toContain(first as string);
  expect(JSON.parse(await readFile(join(cacheDir, "attention.json"), "utf8"))).toEqual({ "card A": first });
  // With nothing to measure with, only what is remembered can answer.
  const broken = { env: { ...process.env, TMPDIR: "/nowhere" } };
  expect(await fastestAttention(question("card A", broken))).toBe(first);
  expect(await fastestAttention(question("card B", broken))).toBeUndefined();
});

test("what is remembered is not believed when it is no way at all", async () => {
  await writeFile(join(cacheDir, "attention.json"), JSON.stringify({ "card A": "unknown", "card C": 3 }));
  expect(Object.keys(ATTENTION)).toContain((await fastestAttention(question("card A"))) as string);
  await writeFile(join(cacheDir, "attention.json"), "{");
  expect(Object.keys(ATTENTION)).toContain((await fastestAttention(question("card A"))) as string);
});
