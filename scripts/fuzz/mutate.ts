import type { Dice } from "../chaos/random.ts";

const INTERESTING = [0, 1, 2, 0x7f, 0x80, 0xff] as const;
const NUMBERS = [
  "-1",
  "0",
  "1e308",
  "4294967296",
  "9007199254740993",
  "1.5",
  "null",
  "NaN",
  "[]",
  "{}",
  '"x"',
];

/** A damaged copy: bytes changed, cut, repeated, put together from two files, numbers and brackets of text changed. */
export function mutate(dice: Dice, files: readonly Uint8Array[]): Uint8Array {
  let bytes = Uint8Array.from(dice.pick(files));
  const times = 1 + Math.floor(dice.next() * 4);
  for (let i = 0; i < times; i++) bytes = dice.pick(CHANGES)(bytes, dice, files);
  return bytes;
}

type Change = (
  bytes: Uint8Array<ArrayBuffer>,
  dice: Dice,
  files: readonly Uint8Array[],
) => Uint8Array<ArrayBuffer>;

const at = (bytes: Uint8Array, dice: Dice) => Math.floor(dice.next() * (bytes.length + 1));
/** Headers matter more than what follows them. */
const early = (bytes: Uint8Array, dice: Dice) => Math.floor(dice.next() ** 3 * bytes.length);

const CHANGES: readonly Change[] = [
  (bytes, dice) => {
    if (bytes.length > 0) bytes[early(bytes, dice)] = Math.floor(dice.next() * 256);
    return bytes;
  },
  (bytes, dice) => {
    if (bytes.length > 0) bytes[early(bytes, dice)] = dice.pick(INTERESTING);
    return bytes;
  },
  (bytes, dice) => bytes.slice(0, at(bytes, dice)),
  (bytes, dice) => {
    const [from, to] = [at(bytes, dice), at(bytes, dice)].sort((a, b) => a - b);
    return join(bytes.subarray(0, from), bytes.subarray(to));
  },
  (bytes, dice) => {
    const [from, to] = [at(bytes, dice), at(bytes, dice)].sort((a, b) => a - b);
    return join(bytes.subarray(0, to), bytes.subarray(from));
  },
  (bytes, dice, files) => {
    const other = dice.pick(files);
    return join(bytes.subarray(0, at(bytes, dice)), other.subarray(at(other, dice)));
  },
  (bytes, dice) => {
    const length = Math.floor(dice.next() * 8);
    for (let i = 0, from = early(bytes, dice); i < length && from + i < bytes.length; i++)
      bytes[from + i] = dice.next() < 0.5 ? 0xff : 0;
    return bytes;
  },
  (bytes, dice) => {
    const text = Buffer.from(bytes).toString("latin1");
    const numbers = [...text.slice(0, 4_000).matchAll(/\d+/g)];
    if (numbers.length === 0) return bytes;
    const { 0: number, index } = dice.pick(numbers);
    const changed = text.slice(0, index) + dice.pick(NUMBERS) + text.slice(index + number.length);
    return Uint8Array.from(Buffer.from(changed, "latin1"));
  },
];

function join(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
