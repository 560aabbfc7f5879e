import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import type { EdgeClient, Render } from "./edge-client.ts";

export interface Saved {
  path: string;
  bytes: number;
  seconds?: number;
}

/**
 * Writes the results beside each other: the main one at `output`, the others with the same name and an ending of
 * their own. The main one is the MP4, or the WAV of a render that only speaks.
 */
export async function saveResults(
  client: EdgeClient,
  render: Pick<Render, "results">,
  output: string,
  all: boolean,
): Promise<Saved[]> {
  const names = ["clip.mp4", "clip.gif", "speech.wav"];
  const wanted = extname(output).toLowerCase();
  const byType = names.find(
    (name) => extname(name) === wanted && render.results.some((result) => result.name === name),
  );
  const main = byType ?? names.find((name) => render.results.some((result) => result.name === name));
  const stem = join(dirname(resolve(output)), basename(output, extname(output)));
  await mkdir(dirname(stem), { recursive: true });
  const saved: Saved[] = [];
  for (const { name, url, bytes, seconds } of render.results) {
    if (name !== main && !all) continue;
    const path = name === main && extname(output) ? resolve(output) : stem + ending(name);
    await writeFile(path, await client.download(url));
    saved.push({ path, bytes, seconds });
  }
  return saved.sort((a, b) => Number(b.path === resolve(output)) - Number(a.path === resolve(output)));
}

const ending = (name: string): string => (name === "manifest.json" ? ".manifest.json" : extname(name));
