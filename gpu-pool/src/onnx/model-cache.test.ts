import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { GraphBuilder } from "../graphs/builder/index.ts";
import { installModel } from "./model-cache.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-model-cache-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function modelOver(path: string) {
  const g = new GraphBuilder();
  g.output("y", g.input("x", "float32", [1]));
  return { ...g.build("echo"), weightFiles: [{ location: "weights-0.safetensors", path }] };
}

test("weights are linked, also through symbolic links, and a second install finds the first", async () => {
  const weights = join(folder, "real.safetensors");
  await writeFile(weights, "weights");
  await symlink(weights, join(folder, "link.safetensors"));
  const cache = join(folder, "cache");
  const model = modelOver(join(folder, "link.safetensors"));
  const [first, second] = await Promise.all([installModel(model, cache), installModel(model, cache)]);
  expect(first).toBe(second);
  const linked = await stat(join(dirname(first), "weights-0.safetensors"));
  expect(linked.ino).toBe((await stat(weights)).ino);
  expect(await readdir(cache)).toHaveLength(1);
});

test("another weight file under the same name is another folder", async () => {
  const weights = join(folder, "changing.safetensors");
  const cache = join(folder, "cache-changing");
  await writeFile(weights, "one");
  const first = await installModel(modelOver(weights), cache);
  await rm(weights);
  await writeFile(weights, "two!");
  expect(await installModel(modelOver(weights), cache)).not.toBe(first);
});

test("folders that nobody opened for a month go; others' files stay", async () => {
  const weights = join(folder, "w.safetensors");
  await writeFile(weights, "weights");
  const cache = join(folder, "cache-old");
  const old = join(cache, "0".repeat(32));
  const foreign = join(cache, "notes");
  for (const path of [old, foreign]) {
    await mkdir(path, { recursive: true });
    await utimes(path, new Date(0), new Date(0));
  }
  const graph = await installModel(modelOver(weights), cache);
  expect([existsSync(old), existsSync(foreign), existsSync(graph)]).toEqual([false, true, true]);
});

test("a missing weight file is an error and leaves nothing behind", async () => {
  const cache = join(folder, "cache-missing");
  await expect(installModel(modelOver(join(folder, "absent")), cache)).rejects.toThrow("absent");
  expect(existsSync(cache) ? await readdir(cache) : []).toEqual([]);
});
