import { describe, expect, test } from "bun:test";
import goldens from "../../test-fixtures/schedulers/random.json";
import { Mt19937 } from "./index.ts";

function draw(random: Mt19937, kind: string, count: number): ArrayLike<number> {
  switch (kind) {
    case "randn":
      return random.randn(count);
    case "rand":
      return random.rand(count);
    case "gumbel":
      return random.gumbel(count);
    case "randperm":
      return random.permutation(count);
    default:
      throw new Error(kind);
  }
}

describe("torch's CPU generator", () => {
  for (const { seed, draws } of goldens) {
    test(`seed ${seed}`, () => {
      const random = new Mt19937(seed);
      for (const { kind, count, values } of draws) {
        const drawn = Array.from(draw(random, kind, count)).slice(-values.length);
        for (const [i, value] of values.entries())
          expect(Math.abs((drawn[i] ?? Number.NaN) - value), `${kind}(${count})[${i}]`).toBeLessThan(
            1e-6 * Math.max(1, Math.abs(value)),
          );
      }
    });
  }

  test("goes on from a saved state", () => {
    const random = new Mt19937(7);
    random.randn(1001);
    random.randn(3);
    const copy = Mt19937.restore(random.save());
    expect(copy.randn(5)).toEqual(random.randn(5));
    expect(copy.randn(100)).toEqual(random.randn(100));
  });

  test("refuses bad seeds and states", () => {
    expect(() => new Mt19937(-1)).toThrow(/seed/);
    expect(() => new Mt19937(0.5)).toThrow(/seed/);
    expect(() => Mt19937.restore(new Uint8Array(10))).toThrow(/random state/);
  });
});
