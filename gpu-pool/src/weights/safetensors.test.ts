import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { floatToHalf, fromBfloat16Array, fromHalfArray, halfToFloat } from "./float16.ts";
import { readSafetensorsHeader } from "./safetensors.ts";
import { openWeights, readFloat32 } from "./weight-set.ts";

let folder: string;
let serial = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(header: string, data = new Uint8Array(0), declared = header.length): Promise<string> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(declared), true);
  const path = join(folder, `${serial++}.safetensors`);
  await writeFile(path, Buffer.concat([length, Buffer.from(header), data]));
  return path;
}

const entry = (shape: unknown, offsets: unknown, dtype: unknown = "F32") =>
  JSON.stringify({ w: { dtype, shape, data_offsets: offsets } });

test("reads float32, float16 and bfloat16 tensors where they lie", async () => {
  const data = new Uint8Array(12);
  new Float32Array(data.buffer, 0, 1)[0] = 1.5;
  new Uint16Array(data.buffer, 4, 2).set([0x3c00, 0xc000]);
  new Uint16Array(data.buffer, 8, 2).set([0x3f80, 0xc040]);
  const header = JSON.stringify({
    __metadata__: { lora_alpha: "8" },
    a: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
    b: { dtype: "F16", shape: [2], data_offsets: [4, 8] },
    c: { dtype: "BF16", shape: [2, 1], data_offsets: [8, 12] },
  });
  const path = await file(header, data);
  expect((await readSafetensorsHeader(path)).metadata).toEqual({ lora_alpha: "8" });
  const weights = await openWeights([{ path, rename: (key) => (key === "a" ? undefined : `m.${key}`) }]);
  expect(weights.keys()).toEqual(["m.b", "m.c"]);
  expect(weights.get("m.b").offset).toBe(8 + header.length + 4);
  expect([...(await readFloat32(weights.get("m.b")))]).toEqual([1, -2]);
  expect([...(await readFloat32(weights.under("m.").get("c")))]).toEqual([1, -3]);
  expect(() => weights.get("a")).toThrow('no tensor "a"');
  await expect(openWeights([path, path])).rejects.toThrow('tensor "a" is in both');
});

test.each([
  ["a header longer than the file", "{}", 0, 1000, "exceeds"],
  ["a header that is not JSON", "{nope", 0, undefined, "not JSON"],
  ["a list as header", "[]", 0, undefined, "not an object"],
  ["a tensor past the end", entry([2], [0, 8]), 4, undefined, "leave the file"],
  ["offsets in the wrong order", entry([0], [4, 0]), 8, undefined, "leave the file"],
  ["a negative offset", entry([1], [-4, 0]), 8, undefined, "pair of whole numbers"],
  ["a shape that needs other bytes", entry([3], [0, 8]), 8, undefined, "needs 12 bytes"],
  ["a fractional shape", entry([1.5], [0, 8]), 8, undefined, "whole numbers"],
  ["an unknown dtype", entry([1], [0, 8], "Q4"), 8, undefined, 'dtype "Q4"'],
  ["a dtype from the prototype", entry([1], [0, 8], "toString"), 8, undefined, "dtype"],
  [
    "two tensors on the same bytes",
    '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
    8,
    undefined,
    "overlap",
  ],
  [
    "a name twice",
    '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
    8,
    undefined,
    "appears twice",
  ],
] as const)("refuses %s", async (_, header, dataBytes, declared, message) => {
  const path = await file(header, new Uint8Array(dataBytes), declared ?? header.length);
  await expect(readSafetensorsHeader(path)).rejects.toThrow(message);
});

test("refuses an empty file", async () => {
  const path = join(folder, "empty.safetensors");
  await writeFile(path, new Uint8Array(3));
  await expect(readSafetensorsHeader(path)).rejects.toThrow("shorter than 8 bytes");
});

test("half precision rounds like the platform's Float16Array and survives a round trip", () => {
  for (let half = 0; half < 65536; half++) {
    const value = halfToFloat(half);
    if (!Number.isNaN(value)) expect(floatToHalf(value)).toBe(half);
  }
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (value) => {
      const platform = new Uint16Array(new Float16Array([value]).buffer)[0];
      expect(floatToHalf(value)).toBe(platform ?? -1);
    }),
  );
  expect([...fromHalfArray(Uint16Array.of(0x3555, 0x8001))]).toEqual([0.333251953125, -(2 ** -24)]);
  expect([...fromBfloat16Array(Uint16Array.of(0x4049))]).toEqual([3.140625]);
});
