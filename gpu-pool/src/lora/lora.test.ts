import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseLoraKey } from "@cartoon/protos/lora/keys";
import fc from "fast-check";
import { safetensors } from "../pipelines/animatediff/testing/tiny-pack.ts";
import { Mt19937 } from "../random/index.ts";
import { joinAdapters, LoraError, loadLora } from "./index.ts";
import { sgmNames } from "./targets.ts";

const Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
const OUT = "up_blocks.0.attentions.1.transformer_blocks.0.attn2.to_out.0";
const MID = "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj";
const TEXT = "encoder.layers.0.self_attn.q_proj";
const size = (path: string) => ({ path, in: 6, out: 4 });
const targets = {
  unet: [size(Q), size(OUT), size(MID)],
  text_encoder: [size(TEXT)],
  text_encoder_2: [size(`text_model.${TEXT}`)],
};

let folder: string;
let serial = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-lora-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Tensors = Record<string, { shape: number[]; data: Float32Array }>;
const random = new Mt19937(1);
const tensor = (...shape: number[]) => ({ shape, data: random.randn(shape.reduce((a, b) => a * b, 1)) });
const number = (value: number) => ({ shape: [], data: Float32Array.of(value) });
const pair = (down: string, up: string, rank = 2): Tensors => ({
  [down]: tensor(rank, 6),
  [up]: tensor(4, rank),
});

async function load(tensors: Tensors, metadata?: Record<string, string>) {
  const path = join(folder, `${serial++}.safetensors`);
  await writeFile(path, safetensors(new Map(Object.entries(tensors)), metadata));
  return loadLora(path, { name: "test", targets, layersPerBlock: 2 });
}

describe("formats", () => {
  const flat = (path: string) => path.replaceAll(".", "_");
  const cases: [string, string, string][] = [
    [
      "kohya, diffusers names",
      `lora_unet_${flat(Q)}.lora_down.weight`,
      `lora_unet_${flat(Q)}.lora_up.weight`,
    ],
    [
      "kohya, SGM names",
      "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_down.weight",
      "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_up.weight",
    ],
    ["PEFT", `unet.${Q}.lora_A.weight`, `unet.${Q}.lora_B.weight`],
    [
      "PEFT with adapter name",
      `base_model.model.unet.${Q}.lora_A.default.weight`,
      `base_model.model.unet.${Q}.lora_B.default.weight`,
    ],
    [
      "old diffusers",
      `unet.${Q.replace("to_q", "processor.to_q_lora.down.weight")}`,
      `unet.${Q.replace("to_q", "processor.to_q_lora.up.weight")}`,
    ],
    ["UNet alone", `${Q}.lora.down.weight`, `${Q}.lora.up.weight`],
  ];
  for (const [label, down, up] of cases)
    test(label, async () => {
      const adapter = await load(pair(down, up));
      expect([...(adapter.layers.get("unet")?.keys() ?? [])]).toEqual([Q]);
      expect(adapter.unmatched).toEqual([]);
    });

  test("to_out with and without its index, output and middle blocks of SGM", async () => {
    const adapter = await load({
      ...pair(
        "lora_unet_output_blocks_1_1_transformer_blocks_0_attn2_to_out_0.lora_down.weight",
        "lora_unet_output_blocks_1_1_transformer_blocks_0_attn2_to_out_0.lora_up.weight",
      ),
      ...pair(
        "lora_unet_middle_block_1_transformer_blocks_0_ff_net_0_proj.lora_down.weight",
        "lora_unet_middle_block_1_transformer_blocks_0_ff_net_0_proj.lora_up.weight",
      ),
    });
    expect([...(adapter.layers.get("unet")?.keys() ?? [])].sort()).toEqual([MID, OUT]);
    const bare = OUT.replace(/\.0$/, "");
    const old = await load(
      pair(
        `unet.${bare.replace("to_out", "processor.to_out_lora.down.weight")}`,
        `unet.${bare.replace("to_out", "processor.to_out_lora.up.weight")}`,
      ),
    );
    expect(old.layers.get("unet")?.has(OUT)).toBe(true);
  });

  test("text encoders, whichever way their paths begin", async () => {
    const adapter = await load({
      ...pair(
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight",
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight",
      ),
      ...pair(
        `text_encoder_2.text_model.${TEXT}.lora_A.weight`,
        `text_encoder_2.text_model.${TEXT}.lora_B.weight`,
      ),
    });
    expect(adapter.layers.get("text_encoder")?.has(TEXT)).toBe(true);
    expect(adapter.layers.get("text_encoder_2")?.has(`text_model.${TEXT}`)).toBe(true);
  });
});

test("SGM names of resnets, samplers and the ends of the UNet", () => {
  const names = (path: string) => sgmNames(path, 2);
  expect(names("down_blocks.1.resnets.1.conv1")).toEqual(["input_blocks_5_0_in_layers_2"]);
  expect(names("up_blocks.2.resnets.0.time_emb_proj")).toEqual(["output_blocks_6_0_emb_layers_1"]);
  expect(names("mid_block.resnets.1.conv2")).toEqual(["middle_block_2_out_layers_3"]);
  expect(names("down_blocks.0.downsamplers.0.conv")).toEqual(["input_blocks_3_0_op"]);
  expect(names("up_blocks.0.upsamplers.0.conv")).toEqual([
    "output_blocks_2_1_conv",
    "output_blocks_2_2_conv",
  ]);
  expect([names("conv_in"), names("conv_out")].flat()).toEqual(["input_blocks_0_0", "out_2"]);
  expect(names("time_embedding.linear_1")).toEqual([]);
});

describe("scale", () => {
  const down = `unet.${Q}.lora_A.weight`;
  const up = `unet.${Q}.lora_B.weight`;
  const scale = async (extra: Tensors, metadata?: object) => {
    const text = metadata && { lora_adapter_metadata: JSON.stringify(metadata) };
    return (await load({ ...pair(down, up, 4), ...extra }, text)).layers.get("unet")?.get(Q)?.scale;
  };
  test("alpha over rank; without alpha, or with 0, it is the rank", async () => {
    expect(await scale({})).toBe(1);
    expect(await scale({ [`unet.${Q}.alpha`]: number(2) })).toBe(0.5);
    expect(await scale({ [`unet.${Q}.alpha`]: number(0) })).toBe(1);
  });
  test("alpha of the PEFT metadata, patterns and rank stabilisation", async () => {
    expect(await scale({}, { "unet.lora_alpha": 8 })).toBe(2);
    expect(await scale({}, { "unet.lora_alpha": 8, "unet.use_rslora": true })).toBe(4);
    expect(await scale({}, { "unet.lora_alpha": 8, "unet.alpha_pattern": { "attn1.to_q": 1 } })).toBe(0.25);
  });
});

describe("what is not taken", () => {
  const good = pair(`unet.${Q}.lora_A.weight`, `unet.${Q}.lora_B.weight`);
  test("unknown modules and convolutions are counted", async () => {
    const adapter = await load({
      ...good,
      ...pair("unet.nowhere.lora_A.weight", "unet.nowhere.lora_B.weight"),
      "unet.down_blocks.0.resnets.0.conv1.lora_A.weight": tensor(2, 6, 3, 3),
      "unet.down_blocks.0.resnets.0.conv1.lora_B.weight": tensor(4, 2, 1, 1),
      stray: tensor(1),
    });
    expect(adapter.unmatched.length).toBe(5);
  });
  test("other kinds and other models are refused in words", async () => {
    await expect(load({ "lora_unet_x.hada_w1_a": tensor(1, 1) })).rejects.toThrow(/LoHa, LoKr/);
    await expect(load({ ...good, [`unet.${Q}.dora_scale`]: tensor(4, 1) })).rejects.toThrow(/DoRA/);
    await expect(load({ "model.diffusion_model.input_blocks.0.0.weight": tensor(1) })).rejects.toThrow(
      /none of its 1 tensors/,
    );
    await expect(
      load({ [`unet.${Q}.lora_A.weight`]: tensor(2, 8), [`unet.${Q}.lora_B.weight`]: tensor(4, 2) }),
    ).rejects.toThrow(/made for another model/);
    await expect(load({ [`unet.${Q}.lora_A.weight`]: tensor(2, 6) })).rejects.toThrow(/no counterpart/);
    const doubled = {
      ...good,
      ...pair(`lora_unet_${Q.replaceAll(".", "_")}.lora_down.weight`, "unet.x.lora_B.weight"),
    };
    await expect(load(doubled)).rejects.toThrow(/two tensors for the same layer/);
    const broken = pair(`unet.${Q}.lora_A.weight`, `unet.${Q}.lora_B.weight`);
    for (const { data } of Object.values(broken)) data[0] = Number.NaN;
    await expect(load(broken)).rejects.toThrow(/not finite/);
  });
  test("names and bytes of any kind never crash it", async () => {
    fc.assert(fc.property(fc.string(), (key) => void parseLoraKey(key)));
    const bytes = safetensors(new Map(Object.entries(good)));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const damaged = cut
          ? bytes.slice(0, at)
          : Uint8Array.from(bytes, (byte, i) => (i === at ? value : byte));
        const path = join(folder, "fuzz.safetensors");
        await writeFile(path, damaged);
        const error = await loadLora(path, { name: "fuzz", targets, layersPerBlock: 2 }).catch(
          (caught: unknown) => caught,
        );
        if (error instanceof Error) expect(["LoraError", "SafetensorsError"]).toContain(error.name);
      }),
      { numRuns: 150 },
    );
    expect(new LoraError("x", "y").message).toBe("LoRA x: y");
  });
});

describe("joining", () => {
  test("together: one rank for all targets, a multiple of 16, and the numbers of each target in its place", async () => {
    const one = await load(pair(`unet.${Q}.lora_A.weight`, `unet.${Q}.lora_B.weight`, 2));
    const two = await load(pair(`unet.${OUT}.lora_A.weight`, `unet.${OUT}.lora_B.weight`, 3));
    const adapters = [
      { adapter: one, weight: 0.5 },
      { adapter: two, weight: -0.7 },
      { adapter: two, weight: 0.2 },
    ];
    const apart = joinAdapters("unet", targets.unet, adapters);
    const together = joinAdapters("unet", targets.unet, adapters, { layout: "together" });
    expect(Object.keys(together)).toEqual(["lora.A", "lora.B"]);
    const numbers = (feeds: typeof apart, name: string) => feeds[name]?.data as Float32Array;
    let [columns, rows] = [0, 0];
    for (const target of targets.unet) {
      const [a, b] = [`lora.${target.path}.A`, `lora.${target.path}.B`];
      const rank = apart[a]?.shape[0] ?? 0;
      const mine = numbers(together, "lora.A").subarray(16 * columns, 16 * (columns + target.in));
      const padding = new Array((16 - rank) * target.in).fill(0);
      expect([...mine]).toEqual([...numbers(apart, a), ...padding]);
      for (let row = 0; row < target.out; row++) {
        const start = 16 * (rows + row);
        const own = [...numbers(together, "lora.B").subarray(start, start + 16)];
        const wanted = [...numbers(apart, b).subarray(row * rank, (row + 1) * rank)];
        expect(own).toEqual([...wanted, ...new Array(16 - rank).fill(0)]);
      }
      [columns, rows] = [columns + target.in, rows + target.out];
    }
    expect(together["lora.A"]?.shape).toEqual([16, columns]);
    expect(together["lora.B"]?.shape).toEqual([rows, 16]);
    expect(joinAdapters("unet", targets.unet, [], { layout: "together" })["lora.A"]?.shape).toEqual([
      0,
      columns,
    ]);
  });

  test("ranks are concatenated and equal the sum of the deltas; targets without a layer get rank 0", async () => {
    const one = await load({
      ...pair(`unet.${Q}.lora_A.weight`, `unet.${Q}.lora_B.weight`, 2),
      [`unet.${Q}.alpha`]: number(1),
    });
    const two = await load(pair(`unet.${Q}.lora_A.weight`, `unet.${Q}.lora_B.weight`, 3));
    const feeds = joinAdapters("unet", targets.unet, [
      { adapter: one, weight: 0.5 },
      { adapter: two, weight: -0.7 },
    ]);
    expect(feeds[`lora.${OUT}.A`]?.shape).toEqual([0, 6]);
    expect(feeds[`lora.${Q}.A`]?.shape).toEqual([5, 6]);
    const product = (
      a: ArrayLike<number | bigint>,
      b: ArrayLike<number | bigint>,
      rank: number,
      out: number,
      column: number,
    ) =>
      Array.from({ length: rank }, (_, r) => Number(b[out * rank + r]) * Number(a[r * 6 + column])).reduce(
        (x, y) => x + y,
        0,
      );
    const [a, b] = [feeds[`lora.${Q}.A`]?.data ?? [], feeds[`lora.${Q}.B`]?.data ?? []];
    for (let out = 0; out < 4; out++)
      for (let column = 0; column < 6; column++) {
        const merged = [
          { adapter: one, weight: 0.5 },
          { adapter: two, weight: -0.7 },
        ].reduce((sum, { adapter, weight }) => {
          const layer = adapter.layers.get("unet")?.get(Q);
          return (
            sum +
            (layer ? weight * layer.scale * product(layer.a, layer.b, layer.rank, out, column) : Number.NaN)
          );
        }, 0);
        expect(product(a, b, 5, out, column)).toBeCloseTo(merged, 5);
      }
  });
});
