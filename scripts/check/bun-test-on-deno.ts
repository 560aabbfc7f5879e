// What the tests use of `bun:test`, for Deno: the very same test files run on both (see the import map in deno.json).
import {
  after,
  before,
  it,
  afterEach as nodeAfterEach,
  beforeEach as nodeBeforeEach,
  describe as nodeDescribe,
} from "node:test";
import { expect as jestExpect } from "expect";

type Body = () => unknown;
type EachBody<T> = (...row: T extends readonly unknown[] ? [...T] : [T]) => unknown;

const label = (name: string, row: readonly unknown[]): string => {
  let next = 0;
  return name.replace(/%[sdijp#]/g, () => {
    const value = row[next++];
    return typeof value === "string" ? value : JSON.stringify(value);
  });
};

function withEach(run: (name: string, body: Body) => void) {
  return <T>(rows: readonly T[]) =>
    (name: string, body: EachBody<T>) => {
      for (const row of rows) {
        const values = Array.isArray(row) ? row : [row];
        run(label(name, values), () => (body as (...values: unknown[]) => unknown)(...values));
      }
    };
}

const runTest = (name: string, body: Body): void => {
  it(name, async () => {
    await body();
  });
};
const runGroup = (name: string, body: Body): void => {
  nodeDescribe(name, () => {
    body();
  });
};
const never = (_name: string, _body?: Body): void => {};

export const test = Object.assign((name: string, body: Body, _timeout?: unknown) => runTest(name, body), {
  each: withEach(runTest),
  if: (condition: unknown) => (condition ? runTest : never),
  skipIf: (condition: unknown) => (condition ? never : runTest),
});
export { test as it };
export const describe = Object.assign(runGroup, {
  each: withEach(runGroup),
  if: (condition: unknown) => (condition ? runGroup : never),
  skipIf: (condition: unknown) => (condition ? never : runGroup),
});

export const beforeAll = (body: Body): void => before(async () => void (await body()));
export const afterAll = (body: Body): void => after(async () => void (await body()));
export const beforeEach = (body: Body): void => nodeBeforeEach(async () => void (await body()));
export const afterEach = (body: Body): void => nodeAfterEach(async () => void (await body()));
export const setDefaultTimeout = (_ms: number): void => {};

const verdict = (pass: boolean, text: string) => ({ pass, message: () => text });

// Bun's own matchers that Jest has not.
jestExpect.extend({
  toStartWith: (value: unknown, start: string) =>
    verdict(String(value).startsWith(start), `${value} starts with ${start}`),
  toEndWith: (value: unknown, end: string) =>
    verdict(String(value).endsWith(end), `${value} ends with ${end}`),
  toInclude: (value: unknown, part: string) =>
    verdict(String(value).includes(part), `${value} includes ${part}`),
  toBeTrue: (value: unknown) => verdict(value === true, `${value} is true`),
  toBeFalse: (value: unknown) => verdict(value === false, `${value} is false`),
  toBeString: (value: unknown) => verdict(typeof value === "string", `${value} is a string`),
  toBeNumber: (value: unknown) => verdict(typeof value === "number", `${value} is a number`),
  toBeArray: (value: unknown) => verdict(Array.isArray(value), `${value} is an array`),
  toBeEmpty: (value: unknown) => verdict(Object.keys(value ?? {}).length === 0, `${value} is empty`),
  toBeWithin: (value: unknown, low: number, high: number) =>
    verdict(Number(value) >= low && Number(value) < high, `${value} is within ${low} and ${high}`),
  toBeArrayOfSize: (value: unknown, size: number) =>
    verdict(Array.isArray(value) && value.length === size, `${value} has ${size} items`),
});

export const expect = jestExpect;
