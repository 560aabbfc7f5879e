import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { PackManifest, RenderSpec } from "@cartoon/protos";
import fc from "fast-check";
import { TASKS, V5_REST, V5_RUNPOD, V6 } from "../src/dialects/shared/v5-input/contract.ts";
import { parseV5 } from "../src/dialects/shared/v5-input/parse.ts";
import { validationError } from "../src/errors/from-zod.ts";
import { ApiError } from "../src/errors/table.ts";
import { buildSpec } from "../src/renders/build-spec.ts";
import { parseIdempotencyKey } from "../src/renders/idempotency-key.ts";
import { RenderRequest } from "../src/renders/request.ts";
import { requestFromWire } from "../src/rpc/wire.ts";
import { parseStoreKey } from "../src/store/key.ts";
import { parseRange } from "../src/store/range.ts";
import { anything, CASES, fields, plausible } from "./arbitraries.ts";
import { startHarness } from "./harness.ts";

const pack = PackManifest.parse(JSON.parse(readFileSync(new URL("pack.json", import.meta.url), "utf8")));
const runs = CASES;

/** The native way in, without the network. */
function native(input: unknown) {
  const parsed = RenderRequest.safeParse(input);
  if (!parsed.success) throw validationError(parsed.error.issues);
  return buildSpec(parsed.data, pack).spec;
}

describe("whatever is sent", () => {
  test("/v1: a valid spec or an error that names the field", () => {
    fc.assert(
      fc.property(plausible, (input) => {
        try {
          expect(RenderSpec.safeParse(native(input)).success).toBe(true);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          expect(error.status).toBeLessThan(500);
          expect(error.errors.length).toBeGreaterThan(0);
          for (const one of error.errors) expect(one.pointer).toMatch(/^#/);
        }
      }),
      { numRuns: runs },
    );
  }, 60_000);

  test("gRPC: any message is a valid spec or an error that names the field", () => {
    const text = fc.oneof(fc.constantFrom("", "temo waves"), fc.string({ unit: "binary", maxLength: 40 }));
    const number = fc.oneof(fc.nat(64), fc.double(), fc.constantFrom(0, 256, 2 ** 53));
    const message = <T>(given: fc.Arbitrary<T>) => fc.option(given, { nil: null });
    const clip = fc.record({
      ...{ prompt: text, negative_prompt: text, scheduler: text, blend: text, quality: text },
      ...{ width: number, height: number, num_frames: number, fps: number, seed: number },
      ...{ num_inference_steps: number, guidance_scale: number, guidance_rescale: number },
      ...{ clip_skip: number, speaker_focus: number, loop: fc.boolean() },
      characters: fc.array(fc.record({ name: text, weight: number }), { maxLength: 3 }),
      prompt_travel: fc.array(fc.record({ frame: number, prompt: text }), { maxLength: 3 }),
      context: message(fc.record({ window: number, overlap: number, schedule: text })),
    });
    const speech = fc.record({
      lines: fc.array(fc.record({ speaker: text, text }), { maxLength: 3 }),
      ...{
        max_new_tokens: number,
        guidance_scale: number,
        temperature: number,
        top_p: number,
        top_k: number,
      },
      seed: number,
      voices: fc.array(fc.record({ character: text, audio_url: text, transcript: text }), { maxLength: 2 }),
    });
    const output = fc.record({
      formats: fc.array(text, { maxLength: 3 }),
      fit: text,
      captions: fc.boolean(),
    });
    const spec = fc.record({
      ...{ pack: text, deterministic: fc.boolean() },
      ...{ clip: message(clip), speech: message(speech), output: message(output) },
    });
    fc.assert(
      fc.property(message(spec), text, (wire, priority) => {
        try {
          const request = requestFromWire(wire as Parameters<typeof requestFromWire>[0], priority);
          expect(RenderSpec.safeParse(buildSpec(request, pack).spec).success).toBe(true);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          expect(error.status).toBeLessThan(500);
          expect(error.errors.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: runs },
    );
  }, 60_000);

  test("/v1: a built spec is a fixed point", () => {
    fc.assert(
      fc.property(fc.nat(), fc.subarray(["temo", "felfel"]), fc.boolean(), (seed, characters, speaks) => {
        const dialogue = speaks ? "[S1] Temo: Hello! [S2] Felfel: Hi!" : undefined;
        const spec = native({ prompt: "temo waves", seed, characters, ...(dialogue ? { dialogue } : {}) });
        expect(native(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
      }),
    );
  }, 60_000);

  test("v5: a valid spec, with a warning for every change, or an error that names the field", () => {
    const names = [
      ...Object.keys(V6.numbers),
      "prompt",
      "negative_prompt",
      "dialogue_text",
      "character",
      "characters",
      "seed",
      "extra",
    ];
    const input = fc.oneof(
      anything,
      fields(names),
      fields(Object.keys(V6.numbers), fc.double({ noNaN: true, noDefaultInfinity: true })).map((numbers) => ({
        prompt: "temo",
        dialogue_text: "[S1] Hi",
        ...numbers,
      })),
    );
    fc.assert(
      fc.property(
        input,
        fc.constantFrom(...TASKS),
        fc.constantFrom(V6, V5_REST, V5_RUNPOD),
        (body, task, contract) => {
          try {
            const parsed = parseV5(body, task, contract, pack);
            const { spec } = buildSpec(parsed.request, pack);
            expect(RenderSpec.safeParse(spec).success).toBe(true);
            const given = body as Record<string, unknown>;
            if (spec.clip && typeof given.width === "number" && given.width !== spec.clip.width)
              expect(parsed.warnings.map(({ field }) => field)).toContain("width");
          } catch (error) {
            if (!(error instanceof ApiError)) throw error;
            expect(error.status).toBeLessThan(500);
            expect(error.message.length).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: runs },
    );
  }, 60_000);

  test("keys, ranges and idempotency keys: taken or refused, never worse", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(), (text, size) => {
        const range = parseRange(text, size);
        if (typeof range === "object") expect(range.start <= range.end && range.end < size).toBe(true);
        for (const parse of [parseStoreKey, parseIdempotencyKey])
          try {
            parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(ApiError);
          }
      }),
      { numRuns: runs },
    );
  }, 60_000);
});

const h = await startHarness();
afterAll(() => h.stop());

test("over HTTP: never a 5xx, whatever the body", async () => {
  // The node rests, so that good ones stay in the queue.
  h.node.setHealth("NODE_HEALTH_DRAINING");
  const paths = fc.constantFrom(
    "/v1/renders",
    "/v1/estimate",
    "/v1/renders/batch",
    "/api/animation",
    "/api/tts",
    "/api/combined",
  );
  const body = fc.oneof(
    plausible.map((value) => JSON.stringify(value)),
    anything.map((value) => JSON.stringify(value) ?? ""),
    fc.string({ unit: "binary" }),
  );
  await fc.assert(
    fc.asyncProperty(paths, body, async (path, text) => {
      const answer = await h.call("POST", path, text, {
        "content-type": "application/json",
        prefer: "respond-async",
      });
      expect(answer.status).toBeLessThan(500);
      if (answer.status >= 400) expect(answer.body.detail.length).toBeGreaterThan(0);
    }),
    { numRuns: Math.min(runs, 1_000) },
  );
  const text = fc
    .string({ unit: "binary", minLength: 1, maxLength: 30 })
    .map((value) => encodeURIComponent(value.toWellFormed()));
  const gets = fc.constantFrom(
    "/v1/renders/X",
    "/v1/renders/X/events",
    "/v1/renders/X/results/Y",
    "/store/X",
    "/v1/renders?cursor=X",
    "/docs/X",
    "/v1/renders/X/estimate?wait=Y",
  );
  await fc.assert(
    fc.asyncProperty(gets, text, text, async (path, x, y) => {
      const answer = await h.call("GET", path.replace("X", x).replace("Y", y));
      expect(answer.status).toBeLessThan(500);
    }),
    { numRuns: 300 },
  );
}, 60_000);
