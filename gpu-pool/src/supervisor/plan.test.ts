import { describe, expect, test } from "bun:test";
import type { PackManifest, RenderSpec } from "@cartoon/protos";
import { planRender } from "./plan.ts";
import { ProgressMeter } from "./progress-meter.ts";
import { clip, output, speech } from "./testing/test-node.ts";

const manifest: PackManifest = {
  format: 1,
  name: "small",
  version: "1.0.0",
  components: {},
  picture: {
    family: "sdxl",
    native: { width: 256, height: 256 },
    sizes: [
      [256, 256],
      [320, 192],
    ],
    multiple_of: 64,
    frames: { min: 8, max: 32, default: 16, window: 16, overlap: 4 },
    fps: { default: 8 },
    steps: { default: 20, max: 60 },
    guidance_scale: { default: 5 },
    scheduler_preset: "toon",
    max_tokens: 77,
  },
  voice: {
    sample_rate: 16_000,
    max_tokens: 700,
    guidance_scale: { default: 3 },
    temperature: { default: 1 },
    top_p: { default: 0.95 },
    top_k: { default: 45 },
    chunk_seconds: { min: 2, max: 12 },
    characters_per_second: 14,
    speakers: {},
  },
  characters: ["temo", "felfel"].map((name) => ({
    ...{
      name,
      label: name,
      weight: 1,
      pair_weight: 0.5,
      triggers: [],
      speaker: "S1",
      voice: {},
      suggestions: [],
    },
  })),
  pair_suggestions: [],
  files: {},
};
const spec = (more: Partial<RenderSpec>): RenderSpec => ({ pack: "", deterministic: false, output, ...more });
const native = { ...clip, width: 256, height: 256, num_frames: 16 };

describe("what the pack can do is left alone", () => {
  test("no warning, nothing changed", () => {
    const plan = planRender(spec({ clip: native, speech }), manifest);
    expect(plan).toMatchObject({ clip: native, speech, size: { width: 256, height: 256 }, warnings: [] });
  });
});

describe("what it cannot do is mapped, and said", () => {
  const brief = {
    ...native,
    width: 1024,
    height: 1024,
    num_frames: 48,
    num_inference_steps: 75,
    guidance_scale: 12,
  };
  test("a phrase that the model takes amiss, where no place follows it", () => {
    const phrases = { "space walking": "floating in space" };
    const own: PackManifest = { ...manifest, picture: manifest.picture && { ...manifest.picture, phrases } };
    const read = (prompt: string) => planRender(spec({ clip: { ...native, prompt } }), own);
    const { clip: used, warnings } = read("temo character Space Walking with ultra HD detail");
    expect(used?.prompt).toBe("temo character floating in space with ultra HD detail");
    expect(warnings).toMatchObject([{ field: "clip.prompt", used: used?.prompt }]);
    const placed = read("temo space walking on the moon");
    expect(placed).toMatchObject({ clip: { prompt: "temo space walking on the moon" }, warnings: [] });
  });

  test("the brief's own settings", () => {
    const { clip: used, size, warnings } = planRender(spec({ clip: brief }), manifest);
    expect(used).toMatchObject({
      width: 256,
      height: 256,
      num_frames: 32,
      num_inference_steps: 60,
      guidance_scale: 8,
    });
    expect(size).toEqual({ width: 1024, height: 1024 });
    expect(warnings.map(({ field, given, used }) => [field, given, used])).toEqual([
      ["clip.size", "1024x1024", "256x256"],
      ["clip.num_frames", "48", "32"],
      ["clip.num_inference_steps", "75", "60"],
      ["clip.guidance_scale", "12", "8"],
    ]);
    for (const { rule } of warnings) expect(rule).toStartWith('pack "small" ');
  });
  test("a wide picture is drawn wide, odd sizes become even", () => {
    const { clip: used, size } = planRender(
      spec({ clip: { ...native, width: 1281, height: 720 } }),
      manifest,
    );
    expect(used).toMatchObject({ width: 320, height: 192 });
    expect(size).toEqual({ width: 1280, height: 720 });
  });
  test("a voice as hot as the brief's", () => {
    const hot = { ...speech, guidance_scale: 5, temperature: 1.4 };
    const { speech: used, warnings } = planRender(spec({ speech: hot }), manifest);
    expect(used).toMatchObject({ guidance_scale: 4.8, temperature: 1.25 });
    expect(warnings).toHaveLength(2);
  });
  test("a pack that only draws does not speak", () => {
    expect(() => planRender(spec({ speech }), { ...manifest, voice: undefined })).toThrow(
      'pack "small" does not speak',
    );
  });
});

describe("progress", () => {
  test("rises from 0 to 1 over all stages, and learns how long they take", () => {
    let now = 0;
    const history = new Map<string, number>();
    const plan = { steps: 10, frames: 16, spokenCharacters: 60 };
    const runThrough = () => {
      const meter = new ProgressMeter(plan, history, () => now);
      const reports = [meter.update("denoise", 0, 10)];
      for (let step = 1; step <= 10; step++) {
        now += 2;
        reports.push(meter.update("denoise", step, 10));
      }
      for (const [stage, seconds] of [
        ["decode", 1],
        ["speech", 5],
        ["mux", 1],
        ["upload", 1],
      ] as const) {
        reports.push(meter.update(stage, 0, 1));
        now += seconds;
        reports.push(meter.update(stage, 1, 1));
      }
      return reports;
    };
    const first = runThrough().map(({ fraction }) => fraction);
    expect(first[0]).toBe(0);
    expect(first.at(-1)).toBe(1);
    expect(first).toEqual(first.toSorted((a, b) => a - b));
    const second = runThrough();
    expect(second[0]?.etaSeconds).toBeCloseTo(28);
    expect(second[5]?.etaSeconds).toBeCloseTo(18);
    expect(second[5]?.fraction).toBeCloseTo(10 / 28);
  });
});
