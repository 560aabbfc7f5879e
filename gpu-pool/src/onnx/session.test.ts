import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GraphBuilder, op } from "../graphs/builder/index.ts";
import { toHalfArray } from "../weights/float16.ts";
import { openWeights } from "../weights/weight-set.ts";
import { ResidentFeeds } from "./resident-feeds.ts";
import { createSession, float32, floatOutput } from "./session.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-session-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function halfMatrixFile(): Promise<string> {
  const header = JSON.stringify({ "fc.weight": { dtype: "F16", shape: [2, 3], data_offsets: [0, 12] } });
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  const data = new Uint8Array(toHalfArray([1, 2, 3, 4, 5, 6]).buffer);
  const path = join(folder, "m.safetensors");
  await writeFile(path, Buffer.concat([length, Buffer.from(header), data]));
  return path;
}

test("weights are read from the safetensors file, symbolic sizes at run time", async () => {
  const g = new GraphBuilder({ weights: await openWeights([await halfMatrixFile()]) });
  const x = g.input("x", "float32", ["B", "F", 3]);
  const rows = op.reshape(g, x, ["B*F", 3]);
  const y = op.matmulTransposed(g, rows, g.weight("fc.weight"));
  g.output("y", op.reshape(g, y, ["B", "F", 2]));
  const session = await createSession(g.build("linear"), join(folder, "cache"), { intraOpThreads: 1 });
  const outputs = await session.run({ x: float32(new Float32Array([1, 0, 0, 0, 1, 1]), [2, 1, 3]) });
  expect(outputs.y?.shape).toEqual([2, 1, 2]);
  expect([...floatOutput(outputs, "y")]).toEqual([1, 4, 5, 11]);
  await expect(session.run({})).rejects.toThrow('input "x" is missing');
  await session.release();
});

test("float16 tensors cross the native boundary", async () => {
  const g = new GraphBuilder();
  const x = g.input("x", "float16", [4]);
  g.output("y", op.cast(g, x, "float32"));
  const session = await createSession(g.build("half"), join(folder, "cache"), { intraOpThreads: 1 });
  const outputs = await session.run({
    x: { dtype: "float16", data: toHalfArray([1, -0.5, 65504, 0]), shape: [4] },
  });
  expect([...floatOutput(outputs, "y")]).toEqual([1, -0.5, 65504, 0]);
  await session.release();
});

test("sizes at which a tensor inside the graph has too many elements are refused before they run", async () => {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["N", 2]);
  const wide = op.matmul(g, x, op.floats(g, new Float32Array(6).fill(1), [2, 3]));
  g.output("y", op.reduce(g, "ReduceSum", wide, [1], false));
  const options = { intraOpThreads: 1, maxElements: 12 };
  const session = await createSession(g.build("limited"), join(folder, "cache"), options);
  const rows = (n: number) => ({ x: float32(new Float32Array(2 * n).fill(1), [n, 2]) });
  expect([...floatOutput(await session.run(rows(4)), "y")]).toEqual([6, 6, 6, 6]);
  await expect(session.run(rows(5))).rejects.toThrow("a tensor [N, 3] of 15 elements exceeds the 12");
  await session.release();
});

test("feeds that cannot be kept on a GPU are sent as they are in every run", async () => {
  const g = new GraphBuilder();
  g.output("y", op.cast(g, g.input("x", "float16", [2]), "float32"));
  const session = await createSession(g.build("kept"), join(folder, "cache"), { intraOpThreads: 1 });
  const resident = new ResidentFeeds(1, undefined);
  const data = toHalfArray([1, 2]);
  const feeds = { x: { dtype: "float16", data, shape: [2] } } as const;
  resident.keep(feeds);
  expect([...floatOutput(await session.run(feeds), "y")]).toEqual([1, 2]);
  data.set(toHalfArray([3, 4]));
  expect([...floatOutput(await session.run(feeds), "y")]).toEqual([3, 4]);
  resident.clear();
  await session.release();
});

test("the body of a loop uses values of the outer graph", async () => {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["N"]);
  const trips = g.constant("int64", BigInt64Array.of(3n), []);
  const body = g.subgraph((b) => {
    b.input("i", "int64", []);
    const go = b.input("go", "bool", []);
    const carried = b.input("carried", "float32", ["N"]);
    b.output("go_on", go);
    b.output("sum", op.add(b, carried, x));
  });
  const [sum] = g.nodes("Loop", [trips, undefined, x], [x], { body: { graph: body } });
  if (!sum) throw new Error("no output");
  g.output("y", sum);
  const session = await createSession(g.build("loop"), join(folder, "cache"), { intraOpThreads: 1 });
  const outputs = await session.run({ x: float32(new Float32Array([1, 2]), [2]) });
  expect([...floatOutput(outputs, "y")]).toEqual([4, 8]);
  await session.release();
});
