import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { inspectLora, LoraFileError } from "./inspect.ts";

type Shapes = Record<string, number[]>;

/** Header and size of a float32 file with these tensors. */
function file(shapes: Shapes): { header: Uint8Array; size: number } {
  let at = 0;
  const entries = Object.entries(shapes).map(([key, shape]) => {
    const from = at;
    at += 4 * shape.reduce((a, b) => a * b, 1);
    return [key, { dtype: "F32", shape, data_offsets: [from, at] }];
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  return { header, size: 8 + header.length + at };
}

const look = (shapes: Shapes) => {
  const { header, size } = file(shapes);
  return inspectLora(header, size);
};

describe("a LoRA is told by its names", () => {
  test("kohya, PEFT and old diffusers, with rank, models and strays", () => {
    const unet = "down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q";
    expect(
      look({
        [`lora_unet_${unet}.lora_down.weight`]: [4, 8],
        [`lora_unet_${unet}.lora_up.weight`]: [8, 4],
        [`lora_unet_${unet}.alpha`]: [],
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": [2, 8],
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight": [8, 2],
        stray: [1],
      }),
    ).toEqual({
      format: "kohya",
      tensors: 6,
      layers: { unet: 1, text_encoder: 1 },
      rank: 4,
      convolutions: false,
      unknown: 1,
    });
    expect(
      look({ "unet.x.lora_A.weight": [4, 8, 3, 3], "unet.x.lora_B.weight": [8, 4, 1, 1] }),
    ).toMatchObject({
      format: "peft",
      convolutions: true,
    });
    expect(
      look({
        "unet.x.processor.to_q_lora.down.weight": [4, 8],
        "unet.x.processor.to_q_lora.up.weight": [8, 4],
      }).format,
    ).toBe("diffusers");
  });
});

describe("what is no LoRA that can be applied", () => {
  const pair = { "unet.x.lora_A.weight": [4, 8], "unet.x.lora_B.weight": [8, 4] };
  test.each([
    ["LoHa", { "lora_unet_x.hada_w1_a": [2, 2] }, /LoHa, LoKr, DoRA/],
    ["LoKr", { "lora_unet_x.lokr_w1": [2, 2] }, /LoHa, LoKr, DoRA/],
    ["DoRA", { ...pair, "unet.x.dora_scale": [8, 1] }, /DoRA/],
    ["a checkpoint", { "model.diffusion_model.input_blocks.0.0.weight": [2, 2] }, /none of its 1 tensors/],
    ["half of a pair", { "unet.x.lora_A.weight": [4, 8] }, /none of its 1 tensors/],
    ["an absurd rank", { "unet.x.lora_A.weight": [4096, 1], "unet.x.lora_B.weight": [1, 4096] }, /rank 4096/],
    ["nothing", {}, /no tensors/],
  ] as [string, Shapes, RegExp][])("%s", (_, shapes, message) => {
    expect(() => look(shapes)).toThrow(message);
  });
  test("a header that lies about the file", () => {
    const { header, size } = file(pair);
    expect(() => inspectLora(header, size - 1)).toThrow(/leave the file/);
  });
  test("any bytes are either a LoRA or refused in words", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          try {
            inspectLora(bytes, 1_000_000);
          } catch (error) {
            expect(error).toBeInstanceOf(LoraFileError);
          }
        },
      ),
    );
  });
});
