import { expect, test } from "bun:test";
import { broadcastShapes, divDim, mulDims } from "./dims.ts";

test("equal sizes have one spelling", () => {
  expect(mulDims("F", "B")).toBe("B*F");
  expect(mulDims("B*F", 2, "H/2")).toBe("B*F*H");
  expect(mulDims(divDim("H", 4), 8)).toBe("2*H");
  expect(divDim(divDim("H", 2), 2)).toBe("H/4");
  expect(mulDims(3, 4)).toBe(12);
  expect(mulDims("B", 0)).toBe(0);
});

test("a fixed size that does not divide is an error", () => {
  expect(() => divDim(9, 2)).toThrow("size 9 is not divisible by 2");
});

test("shapes broadcast as in ONNX", () => {
  expect(broadcastShapes(["B", 1, 4], [7, 1])).toEqual(["B", 7, 4]);
  expect(broadcastShapes(["B", 3], [1])).toEqual(["B", 3]);
  expect(() => broadcastShapes([2], [3])).toThrow("do not broadcast");
});
