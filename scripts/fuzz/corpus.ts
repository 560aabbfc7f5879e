import { safetensors } from "@cartoon/gpu-pool/pipelines/animatediff/testing/tiny-pack";

const MIB = 1024 * 1024;
const encode = (text: string) => new TextEncoder().encode(text);

/** A file with this header, of which the first 8 bytes may lie about its length. */
export function withHeader(
  header: string | Uint8Array,
  data = new Uint8Array(0),
  declared?: bigint,
): Uint8Array {
  const bytes = typeof header === "string" ? encode(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, declared ?? BigInt(bytes.length), true);
  return Buffer.concat([length, bytes, data]);
}

const tensor = (shape: number[], fill = 0.5) => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(fill),
});

export const LAYER = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
const A = `unet.${LAYER}.lora_A.weight`;
const B = `unet.${LAYER}.lora_B.weight`;
const KOHYA = `lora_unet_${LAYER.replaceAll(".", "_")}`;

const entry = (shape: unknown, offsets: unknown, dtype: unknown = "F32") =>
  JSON.stringify({ [A]: { dtype, shape, data_offsets: offsets } });
const repeat = (unit: string, bytes: number) => unit.repeat(Math.ceil(bytes / unit.length));

/** Whole and right: what mutations begin with. */
export const GOOD_LORAS: readonly Uint8Array[] = [
  safetensors(
    new Map([
      [A, tensor([2, 6])],
      [B, tensor([4, 2])],
    ]),
  ),
  safetensors(
    new Map([
      [`${KOHYA}.lora_down.weight`, tensor([2, 6])],
      [`${KOHYA}.lora_up.weight`, tensor([4, 2])],
      [`${KOHYA}.alpha`, tensor([])],
    ]),
    { ss_network_dim: "2", ss_tag_frequency: '{"a":{"b":1}}' },
  ),
];

/** Every lie that a safetensors file can tell, by name. */
export const HOSTILE_LORAS: Readonly<Record<string, Uint8Array>> = {
  empty: new Uint8Array(0),
  "seven bytes": new Uint8Array(7),
  "a length and nothing": withHeader("", undefined, 2n ** 40n),
  "a length of 2^64 - 1": withHeader("{}", undefined, 2n ** 64n - 1n),
  "a header of 100 MB": withHeader("{}", new Uint8Array(100 * MIB), BigInt(100 * MIB)),
  "8 MB of tensors": withHeader(
    `{${repeat('"a":{"dtype":"F32","shape":[],"data_offsets":[0,0]},', 8 * MIB - 8)}"b":1}`,
  ),
  "8 MB of brackets": withHeader(`{"a":${"[".repeat(8 * MIB - 8)}`),
  "8 MB of empty lists": withHeader(`{"a":[${repeat("[],", 8 * MIB - 16)}0]}`),
  "8 MB of empty objects": withHeader(`{"a":{${repeat('"k":{},', 8 * MIB - 32)}"z":0}}`),
  "a shape of 2 million sizes": withHeader(
    `{"a":{"dtype":"F32","shape":[${repeat("1,", 4 * MIB)}1],"data_offsets":[0,4]}}`,
    new Uint8Array(4),
  ),
  "8 MB of metadata": withHeader(`{"__metadata__":{"x":"${"y".repeat(8 * MIB - 40)}"}}`),
  "8 MB of escaped metadata": withHeader(`{"__metadata__":{"x":"${repeat("\\u4e00", 8 * MIB - 64)}"}}`),
  "a name of 4 MB": withHeader(
    `{"${"n".repeat(4 * MIB)}":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`,
    new Uint8Array(4),
  ),
  "not JSON": withHeader("{nope"),
  "a list": withHeader("[]"),
  "not UTF-8": withHeader(Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d)),
  "out of the file": withHeader(entry([2], [0, 8]), new Uint8Array(4)),
  "far out of the file": withHeader(entry([2], [2 ** 52, 2 ** 52 + 8]), new Uint8Array(8)),
  "offsets backwards": withHeader(entry([0], [8, 4]), new Uint8Array(8)),
  "negative offsets": withHeader(entry([1], [-4, 0]), new Uint8Array(8)),
  "fractional offsets": withHeader(entry([1], [0.5, 4.5]), new Uint8Array(8)),
  "a huge shape": withHeader(entry([2 ** 31, 2 ** 31], [0, 8]), new Uint8Array(8)),
  "a negative shape": withHeader(entry([-1], [0, 4]), new Uint8Array(8)),
  "a wrong dtype": withHeader(entry([1], [0, 4], "Q4_0"), new Uint8Array(8)),
  "a dtype from the prototype": withHeader(entry([1], [0, 4], "constructor"), new Uint8Array(8)),
  "integers for weights": withHeader(entry([1], [0, 4], "I32"), new Uint8Array(4)),
  "a name twice": withHeader(
    `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`,
    new Uint8Array(8),
  ),
  "a name twice, escaped once": withHeader(
    `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`,
    new Uint8Array(8),
  ),
  overlapping: withHeader(
    `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`,
    new Uint8Array(8),
  ),
  __proto__: withHeader(`{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, new Uint8Array(4)),
  NaN: safetensors(
    new Map([
      [A, tensor([2, 6], Number.NaN)],
      [B, tensor([4, 2])],
    ]),
  ),
  infinity: safetensors(
    new Map([
      [A, tensor([2, 6])],
      [B, tensor([4, 2], Number.POSITIVE_INFINITY)],
    ]),
  ),
  "half a pair": safetensors(new Map([[A, tensor([2, 6])]])),
  "a pair that does not fit together": safetensors(
    new Map([
      [A, tensor([3, 6])],
      [B, tensor([4, 2])],
    ]),
  ),
  "another model's": safetensors(
    new Map([
      [A, tensor([2, 60])],
      [B, tensor([40, 2])],
    ]),
  ),
  "no LoRA": safetensors(new Map([["model.weight", tensor([2, 2])]])),
  LoHa: safetensors(new Map([[`${KOHYA}.hada_w1_a`, tensor([2, 2])]])),
  DoRA: safetensors(
    new Map([
      [A, tensor([2, 6])],
      [B, tensor([4, 2])],
      [`unet.${LAYER}.dora_scale`, tensor([4, 1])],
    ]),
  ),
};

function wav(options: {
  code?: number;
  channels?: number;
  rate?: number;
  bits?: number;
  data?: Uint8Array;
  size?: number;
}) {
  const { code = 1, channels = 1, rate = 16_000, bits = 16, data = new Uint8Array(640), size } = options;
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + data.length, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(code, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(rate >>> 0, 24);
  head.writeUInt16LE(bits, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(size ?? data.length, 40);
  return Buffer.concat([head, data]);
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const tone = new Uint8Array(Int16Array.from({ length: 1_600 }, (_, i) => 8_000 * Math.sin(i / 6)).buffer);

export const GOOD_SOUNDS: readonly Uint8Array[] = [
  wav({ data: tone }),
  wav({ channels: 2, bits: 24, data: tone.subarray(0, 3_000) }),
  wav({ code: 3, bits: 32, data: floats(...Array.from({ length: 400 }, (_, i) => Math.sin(i / 9) / 2)) }),
];

export const HOSTILE_SOUNDS: Readonly<Record<string, Uint8Array>> = {
  empty: new Uint8Array(0),
  text: encode("RIFF this is no sound"),
  "an hour of silence": wav({ rate: 4_000, bits: 8, data: new Uint8Array(16 * MIB) }),
  "a size of 4 GB": wav({ size: 0xffff_fff0 }),
  "a size past the end": wav({ size: 10_000_000 }),
  "no samples": wav({ data: new Uint8Array(0) }),
  "no channels": wav({ channels: 0 }),
  "65,535 channels": wav({ channels: 65_535 }),
  "0 Hz": wav({ rate: 0 }),
  "4 GHz": wav({ rate: 4_000_000_000 }),
  "12 bits": wav({ bits: 12 }),
  "0 bits": wav({ bits: 0 }),
  "a codec of 1992": wav({ code: 2 }),
  NaN: wav({ code: 3, bits: 32, data: floats(0, Number.NaN) }),
  infinity: wav({ code: 3, bits: 32, data: floats(Number.NEGATIVE_INFINITY) }),
  "the loudest float": wav({ code: 3, bits: 32, data: floats(3.4e38, -3.4e38) }),
  "a million chunks": Buffer.concat([
    wav({}).subarray(0, 36),
    Buffer.alloc(8 * MIB, "junk\0\0\0\0", "latin1"),
  ]),
  "sound before its format": Buffer.concat([
    encode("RIFF\0\0\0\0WAVEdata"),
    Buffer.from([4, 0, 0, 0, 1, 2, 3, 4]),
  ]),
  "a playlist": encode("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
  "an Ogg of nothing": Buffer.concat([encode("OggS"), Buffer.alloc(4_000)]),
  "an MP4 that lies": Buffer.concat([Buffer.from([0, 0, 0, 16]), encode("ftypM4A "), Buffer.alloc(64, 0xff)]),
  "a FLAC of 8 channels and 2^36 samples": Buffer.concat([
    encode("fLaC"),
    Buffer.from([0x80, 0, 0, 34]),
    Buffer.alloc(34, 0xff),
  ]),
  "a Matroska bomb": Buffer.concat([Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x01]), Buffer.alloc(512, 0xff)]),
};
