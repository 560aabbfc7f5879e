import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLines, report } from "./table.ts";

const fixture = (name: string) => readLines(join(import.meta.dirname, "fixtures", name));
/** Cells of the rows whose first one begins so. */
const rows = (text: string, start: string) =>
  text
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter(([name]) => name?.startsWith(start));

test("ours stands beside torch's: least and median, ratios of the medians, memory, error", async () => {
  const text = report(await fixture("h200.jsonl"));
  expect(rows(text, "UNet step, 16")).toEqual([
    [
      "UNet step, 16 frames, own operators",
      ...["523 / 535", "791 / 793", "629 / 639", "1.48x, 1.19x"],
      ...["17.9 GB (torch 14.5)", "1.8e-3 from fp16, torch 1.5e-1"],
    ],
  ]);
  expect(rows(text, "UNet session made, own")[0]?.[1]).toBe("3311");
  // Not measured with ours in these lines: torch's figures are there all the same.
  expect(rows(text, "UNet step, 32")[0]?.slice(1, 5)).toEqual(["", "1513 / 1520", "1200 / 1203", ""]);
  expect(rows(text, "VAE decode, a frame of 4")[0]?.[2]).toBe("77.3 / 77.5");
  expect(text).not.toContain("voice");
});

test("every bench has its rows: LoRA inputs, memory, VAE, voices, two GPUs, whole jobs", async () => {
  const text = report(await fixture("cpu-tiny.jsonl"));
  expect(rows(text, "UNet step, 2 frames, no LoRA")[0]?.[1]).not.toBe("");
  expect(rows(text, "UNet step, 2 frames, rank").map(([name]) => name)).toEqual([
    "UNet step, 2 frames, rank 0 on 312 layers (0 MB, sent)",
    "UNet step, 2 frames, rank 32 on 208 layers (4.8 MB, sent)",
    "UNet step, 2 frames, rank 32 on 312 layers (10.3 MB, sent)",
  ]);
  expect(rows(text, "clip with LoRAs, 1 frames, small mode")[0]?.[1]).toBe("76 a step");
  expect(rows(text, "VAE decode, a frame of 4 at once, stock operators")[0]?.slice(1, 5)).toEqual([
    ...["532 / 532", "344 / 344", "", "0.65x"],
  ]);
  expect(rows(text, "8 frames of 256x256, 2 steps, two GPUs")[0]?.[1]).toBe("1.06 s");
  expect(rows(text, "two GPUs against one")[0]?.slice(4)).toEqual(["1.06x", "", "same bytes"]);
  expect(rows(text, "whole job, first")[0]?.[1]).toBe("1.378 s, succeeded");
  expect(rows(text, "Dia, one dialogue")[0]).toEqual([
    ...["Dia, one dialogue", "187 frames/s", "3.49 frames/s", "53.5x", "", ""],
  ]);
});

test("results of several cards lie in several folders; the best median counts, and what is no line is left out", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cartoon table-"));
  const line = (median: number) =>
    JSON.stringify({ section: "step", who: "native", frames: 16, min: median - 1, median });
  for (const [card, text] of Object.entries({ g0: `${line(530)}\nnoise\n{half`, g1: line(520) })) {
    await mkdir(join(folder, card));
    await writeFile(join(folder, card, "results.jsonl"), `{"section":"machine","gpu":"H200"}\n${text}\n`);
  }
  const text = report(await readLines(folder));
  expect(text).toStartWith("H200\n\n| picture");
  expect(rows(text, "UNet step")[0]?.[1]).toBe("519 / 520");
  await rm(folder, { recursive: true, force: true });
});
