import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import grouped from "../../../test-fixtures/voice/dia-grouped.json";
import prompted from "../../../test-fixtures/voice/dia-prompted.json";
import single from "../../../test-fixtures/voice/dia-single.json";
import {
  type FixtureDtype,
  fixtureGumbel,
  maxError,
  writeFormulaWeights,
} from "../../../test-fixtures/voice/formula-weights.ts";
import { promptRows, undelay } from "./delay-pattern.ts";
import { type GenerationRequest, generate } from "./generate.ts";
import { GenerationQueue } from "./generation-queue.ts";
import { type DiaModel, loadDiaModel } from "./model.ts";
import { readAttention } from "./read-attention.ts";

let folder: string;
const models = new Map<string, DiaModel>();
const goldens = { grouped, prompted, single };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-generate-"));
  for (const [name, golden] of Object.entries(goldens)) {
    const dia = join(folder, name);
    await mkdir(dia);
    await writeFile(join(dia, "config.json"), JSON.stringify(golden.config));
    await writeFormulaWeights(
      join(dia, "model.safetensors"),
      golden.shapes,
      golden.gain,
      golden.dtype as FixtureDtype,
    );
    models.set(name, await loadDiaModel(dia, { cacheDir: folder, device: "cpu", threads: 1 }));
  }
});
afterAll(async () => {
  for (const model of models.values()) await model.release();
  await rm(folder, { recursive: true, force: true });
});

function setUp(name: keyof typeof goldens) {
  const golden = goldens[name];
  const model = models.get(name);
  if (!model) throw new Error(name);
  const { sampling } = golden;
  const channels = model.config.decoder.num_channels;
  const draws = (golden.maxLength + model.config.maxDelay) * channels * sampling.top_k;
  const request: GenerationRequest = {
    text: new TextEncoder().encode(golden.text),
    prompt: golden.prompt,
    lastRow: golden.maxLength - 1,
    seed: 1,
    noise: fixtureGumbel(`dia-${name} gumbel`, draws),
    sampling: {
      guidanceScale: sampling.guidance_scale,
      temperature: sampling.temperature,
      topP: sampling.top_p,
      topK: sampling.top_k,
    },
  };
  return { golden, model, request };
}

describe("tokens are those of transformers' generate with the same noise", () => {
  for (const name of ["grouped", "prompted", "single"] as const) {
    for (const firstRun of [1, 7, 64]) {
      test(`${name}, first run of ${firstRun} frames`, async () => {
        const { golden, model, request } = setUp(name);
        const [made] = await generate(model, [request], { firstRun });
        const known = promptRows(model.config, golden.prompt);
        expect([...known, ...(made?.rows ?? [])]).toEqual(golden.sequence);
        expect(made?.finished).toBe(name === "single");
      });
    }
  }
});

test("dialogues made together come out as each does alone", async () => {
  const { model, request } = setUp("single");
  const texts = ["\u0001 Go!", "\u0002 Where to, my friend?", "\u0001 Up."];
  const requests = texts.map((text, seed) => ({
    text: new TextEncoder().encode(text),
    lastRow: 60,
    seed,
    sampling: request.sampling,
  }));
  const together = await generate(model, requests);
  for (const [i, own] of requests.entries()) {
    const [alone] = await generate(model, [own]);
    expect(together[i]?.rows).toEqual(alone?.rows ?? []);
    expect(together[i]?.endRow).toBe(alone?.endRow ?? -1);
    expect(together[i]?.finished).toBe(alone?.finished ?? true);
  }
});

describe("dialogues that wait at the same time", () => {
  const waiting = (name: "single" | "prompted", seed: number, changes: Partial<GenerationRequest> = {}) => {
    const { request } = setUp(name);
    return { ...request, noise: undefined, seed, lastRow: 50, ...changes };
  };

  test("share the decoder, each with settings of its own, and come out as alone", async () => {
    const { model } = setUp("single");
    const queue = new GenerationQueue(model, 4);
    const greedy = { ...waiting("single", 0).sampling, temperature: 0, guidanceScale: 1 };
    const requests = [waiting("single", 1), waiting("single", 2, { sampling: greedy }), waiting("single", 3)];
    const other = waiting("single", 4, { sampling: { ...greedy, topK: 3 } });
    const all = [[requests[0], requests[1]], [requests[2]], [other]].map((r) => r.flatMap((x) => x ?? []));
    const made = await Promise.all(all.map((r) => queue.generate(r)));
    for (const [i, request] of [...requests, other].entries()) {
      const [alone] = await generate(model, [request]);
      expect(made.flat()[i]?.rows).toEqual(alone?.rows ?? []);
    }
  });

  test("one that wants no company goes by itself", async () => {
    const { model } = setUp("prompted");
    const queue = new GenerationQueue(model, 4);
    const order: string[] = [];
    const ask = (name: string, alone: boolean) =>
      queue.generate([waiting("prompted", 1)], { alone, onRows: () => void order.push(name) });
    await Promise.all([ask("a", false), ask("b", true), ask("c", false), ask("d", true)]);
    // Those in one batch are told in turn; b and d after all that a and c have made.
    expect(order.join("")).toMatch(/^(ac)+b+d+$/);
  });

  test("one that is canceled does not stop the others", async () => {
    const { model } = setUp("prompted");
    const queue = new GenerationQueue(model, 4);
    const abort = new AbortController();
    const onRows = () => abort.abort(new Error("not any more"));
    const report = () => Promise.reject(new Error("nobody listens"));
    const [canceled, kept, late, lost] = await Promise.allSettled([
      queue.generate([waiting("prompted", 1)], { signal: abort.signal, onRows }),
      queue.generate([waiting("prompted", 2)]),
      queue.generate([waiting("prompted", 3, { prompt: [] })], { signal: abort.signal }),
      queue.generate([waiting("prompted", 4)], { onRows: report }),
    ]);
    expect(canceled).toMatchObject({ status: "rejected", reason: { message: "not any more" } });
    expect(late).toMatchObject({ status: "rejected", reason: { message: "not any more" } });
    expect(lost).toMatchObject({ status: "rejected", reason: { message: "nobody listens" } });
    const [alone] = await generate(model, [waiting("prompted", 2)]);
    expect(kept).toMatchObject({ status: "fulfilled", value: [{ rows: alone?.rows }] });
  });

  test("an error reaches everyone who waited for that batch, and the next ones are served", async () => {
    const { model } = setUp("single");
    const queue = new GenerationQueue(model, 4);
    const long = waiting("single", 1, { text: new Uint8Array(100).fill(65) });
    await expect(queue.generate([long])).rejects.toThrow("the model reads 32");
    expect(await queue.generate([waiting("single", 1)])).toHaveLength(1);
  });
});

test("a seed is a dialogue; another seed is another", async () => {
  const { model, request } = setUp("prompted");
  const seeded = async (seed: number) => {
    const [made] = await generate(model, [{ ...request, noise: undefined, seed, lastRow: 40 }]);
    return made?.rows;
  };
  expect(await seeded(5)).toEqual(await seeded(5));
  expect(await seeded(5)).not.toEqual(await seeded(6));
});

test("temperature 0 needs no noise and repeats itself", async () => {
  const { model, request } = setUp("prompted");
  const sampling = { ...request.sampling, temperature: 0 };
  const greedy = (seed: number) =>
    generate(model, [{ ...request, noise: undefined, seed, lastRow: 30, sampling }]);
  expect(await greedy(1)).toEqual(await greedy(2));
});

test("an abort between two runs stops the dialogue", async () => {
  const { model, request } = setUp("grouped");
  const abort = new AbortController();
  let rows = 0;
  const onRows = (made: number) => {
    rows = made;
    abort.abort(new Error("stop it"));
  };
  const run = generate(model, [request], { signal: abort.signal, onRows, firstRun: 4 });
  await expect(run).rejects.toThrow("stop it");
  expect(rows).toBe(4);
});

test("attention is told for a dialogue's own text alone, however long those beside it are", async () => {
  const { request } = setUp("single");
  const shared = { cacheDir: folder, device: "cpu" as const, threads: 1 };
  const model = await loadDiaModel(join(folder, "single"), {
    ...shared,
    alignmentHead: { layer: 0, head: 0 },
  });
  const requests = ["\u0001 Go!", "\u0002 Where to, my dear friend?"].map((text, seed) => ({
    ...request,
    text: new TextEncoder().encode(text),
    prompt: undefined,
    noise: undefined,
    lastRow: 40,
    seed,
  }));
  const together = await generate(model, requests);
  for (const [i, own] of requests.entries()) {
    const [alone] = await generate(model, [own]);
    expect(together[i]?.alignment.length).toBe(alone?.alignment.length ?? 0);
    for (const [f, row] of (together[i]?.alignment ?? []).entries()) {
      expect(row.length).toBe(own.text.length);
      expect(maxError(row, alone?.alignment[f] ?? [])).toBeLessThan(1e-5);
    }
  }
  await model.release();
});

test("attention that is read afterwards is that of the frames when they were made", async () => {
  const { request } = setUp("prompted");
  const head = { layer: 1, head: 1 };
  const dia = join(folder, "prompted");
  const shared = { cacheDir: folder, device: "cpu" as const, threads: 1 };
  const watched = await loadDiaModel(dia, { ...shared, alignmentHead: head });
  const plain = await loadDiaModel(dia, shared);
  const [made] = await generate(watched, [request]);
  const [again] = await generate(plain, [request]);
  if (!made || !again) throw new Error("nothing was made");
  expect(again.rows).toEqual(made.rows);
  expect(again.alignment).toEqual([]);
  const choose = () => ({
    head: plain.config.decoder.cross_num_attention_heads * head.layer + head.head,
    score: 1,
  });
  const read = await readAttention(plain, request, again, 0, choose);
  expect(read.length).toBe(made.alignment.length);
  for (const [i, row] of read.entries()) expect(maxError(row, made.alignment[i] ?? [])).toBeLessThan(1e-4);
  // No head of a random model follows the text.
  expect(await readAttention(plain, request, again, 0)).toEqual([]);
  await watched.release();
  await plain.release();
});

test("the delay is taken back and special tokens are silence", () => {
  const { model } = setUp("prompted");
  const rows = [
    [1, 34, 34, 34],
    [2, 34, 34, 34],
    [32, 11, 34, 34],
    [33, 12, 21, 34],
    [33, 32, 22, 34],
    [33, 33, 32, 31],
    [33, 33, 33, 32],
  ];
  expect(undelay(model.config, rows, 7, 9)).toEqual([
    [1, 2],
    [11, 12],
    [21, 22],
    [31, 0],
  ]);
});
