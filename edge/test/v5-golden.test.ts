import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { PackManifest, type RenderSpec } from "@cartoon/protos";
import {
  type Contract,
  type Task,
  V5_REST,
  V5_RUNPOD,
  V6,
} from "../src/dialects/shared/v5-input/contract.ts";
import { parseV5 } from "../src/dialects/shared/v5-input/parse.ts";
import { buildSpec } from "../src/renders/build-spec.ts";

const pack = PackManifest.parse(JSON.parse(readFileSync(new URL("pack.json", import.meta.url), "utf8")));

interface Golden {
  contract: Contract;
  task: Task;
  request: Record<string, unknown>;
  clip?: Partial<NonNullable<RenderSpec["clip"]>>;
  speech?: Partial<NonNullable<RenderSpec["speech"]>>;
  /** `field given>used` of each warning. */
  warnings?: string[];
}

const temo = [{ name: "temo", weight: 1 }];
const both = [
  { name: "temo", weight: 0.5 },
  { name: "felfel", weight: 0.5 },
];

// Ranges and defaults as v5.0.1 had them (`src/handler.py` for REST, the root `handler.py` for RunPod), and v6's.
const GOLDENS: Golden[] = [
  {
    contract: V5_REST,
    task: "animation",
    request: { character: "temo", prompt: "temo character animation" },
    clip: {
      characters: temo,
      width: 512,
      height: 512,
      num_frames: 16,
      fps: 8,
      num_inference_steps: 15,
      guidance_scale: 7.5,
    },
  },
  {
    contract: V5_REST,
    task: "animation",
    request: {
      character: "temo",
      prompt: "x",
      width: 1024,
      height: 100,
      num_frames: 64,
      fps: 24,
      num_inference_steps: 50,
      guidance_scale: 20,
    },
    clip: { width: 768, height: 256, num_frames: 32, fps: 12, num_inference_steps: 30, guidance_scale: 15 },
    warnings: [
      "width 1024>768",
      "height 100>256",
      "num_frames 64>32",
      "fps 24>12",
      "guidance_scale 20>15",
      "num_inference_steps 50>30",
    ],
  },
  {
    contract: V5_REST,
    task: "tts",
    request: { dialogue_text: "[S1] Hello there!" },
    speech: { max_new_tokens: 3072, guidance_scale: 3, temperature: 1.8, top_p: 0.9, top_k: 45 },
  },
  {
    contract: V5_REST,
    task: "tts",
    request: {
      dialogue_text: "[S1] Hi!",
      guidance_scale: 20,
      max_new_tokens: 100,
      temperature: 0,
      top_p: 2,
      top_k: 0,
    },
    speech: { max_new_tokens: 512, guidance_scale: 10, temperature: 0.1, top_p: 1, top_k: 1 },
    warnings: [
      "max_new_tokens 100>512",
      "tts_guidance_scale 20>10",
      "temperature 0>0.1",
      "top_p 2>1",
      "top_k 0>1",
    ],
  },
  {
    contract: V5_RUNPOD,
    task: "animation",
    request: { character: "felfel", prompt: "felfel runs" },
    clip: {
      characters: [{ name: "felfel", weight: 1 }],
      width: 1024,
      height: 1024,
      num_frames: 32,
      fps: 16,
      num_inference_steps: 50,
      guidance_scale: 12,
    },
  },
  {
    contract: V5_RUNPOD,
    task: "combined",
    request: {
      characters: ["temo", "felfel"],
      prompt: "both",
      dialogue_text: "[S1] Hi! [S2] Hello!",
      width: 512,
      num_frames: 8,
      fps: 8,
      num_inference_steps: 5,
      guidance_scale: 1,
      max_new_tokens: 1,
      tts_guidance_scale: 1,
      temperature: 0.1,
      top_p: 0.5,
      top_k: 1,
    },
    clip: {
      characters: both,
      width: 768,
      num_frames: 16,
      fps: 12,
      num_inference_steps: 30,
      guidance_scale: 8,
    },
    speech: { max_new_tokens: 2048, guidance_scale: 2, temperature: 0.8, top_p: 0.85, top_k: 40 },
    warnings: [
      "width 512>768",
      "num_frames 8>16",
      "fps 8>12",
      "guidance_scale 1>8",
      "num_inference_steps 5>30",
      "max_new_tokens 1>2048",
      "tts_guidance_scale 1>2",
      "temperature 0.1>0.8",
      "top_p 0.5>0.85",
      "top_k 1>40",
    ],
  },
  {
    contract: V5_RUNPOD,
    task: "animation",
    request: { character: "temo", prompt: "y".repeat(501), num_frames: 64, width: 1536, top_k: 100 },
    clip: { num_frames: 64, width: 1536 },
    warnings: ["prompt 501 letters>500 letters"],
  },
  {
    contract: V6,
    task: "combined",
    request: {
      characters: ["temo", "felfel"],
      prompt: "both characters interacting",
      dialogue_text: "[S1] Hi! [S2] Hello!",
      width: 1024,
      height: 1024,
    },
    clip: {
      characters: both,
      width: 1024,
      height: 1024,
      num_frames: 32,
      fps: 16,
      num_inference_steps: 50,
      guidance_scale: 12,
    },
    speech: { max_new_tokens: 4096, guidance_scale: 5, temperature: 1.4, top_p: 0.9, top_k: 60 },
  },
  {
    contract: V6,
    task: "animation",
    request: {
      character: "temo",
      prompt: "x",
      num_frames: 48,
      width: 256,
      height: 1536,
      num_inference_steps: 75,
    },
    clip: { num_frames: 48, width: 256, height: 1536, num_inference_steps: 75 },
  },
  {
    contract: V6,
    task: "animation",
    request: { character: "temo", prompt: "x", num_frames: "49.6", seed: "42", voice: "loud" },
    clip: { num_frames: 48, seed: 42 },
    warnings: ["voice loud>", "num_frames 49.6>48"],
  },
];

describe("requests of v5 and v6", () => {
  test.each(
    GOLDENS.map(
      (golden, index) => [`${index + 1}: ${golden.contract.name}, ${golden.task}`, golden] as const,
    ),
  )("%s", (_, golden) => {
    const { contract, task, request, clip, speech, warnings = [] } = golden;
    const parsed = parseV5(request, task, contract, pack);
    const { spec } = buildSpec(parsed.request, pack);
    if (clip) expect(spec.clip).toMatchObject(clip);
    else expect(spec.clip).toBeUndefined();
    if (speech) expect(spec.speech).toMatchObject(speech);
    else expect(spec.speech).toBeUndefined();
    expect(parsed.warnings.map(({ field, given, used }) => `${field} ${given}>${used}`).sort()).toEqual(
      warnings.sort(),
    );
  });
});
