import { expect, test } from "bun:test";
import { parseNodeEnv, VARIABLE_NAMES } from "./env.ts";

const problem = (env: Record<string, string>): string => {
  try {
    parseNodeEnv(env);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

test("every variable stands in the README, and the README has no other", async () => {
  const text = await Bun.file(new URL("../README.md", import.meta.url)).text();
  const table = text.slice(text.indexOf("| Variable |"));
  const named = table
    .split("\n")
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ""));
  expect(named.toSorted()).toEqual(VARIABLE_NAMES.toSorted());
});

test("a node is reachable, or it dials; nothing secret goes over a network in the clear", () => {
  expect(problem({ CARTOON_NODE_LISTEN: "none" })).toContain("CARTOON_EDGES");
  expect(problem({ CARTOON_NODE_LISTEN: "none", CARTOON_EDGES: "127.0.0.1:50052" })).toContain(
    "CARTOON_REGISTER_TOKEN",
  );
  const behindNat = { CARTOON_NODE_LISTEN: "none", CARTOON_REGISTER_TOKEN: "nt_x" };
  expect(problem({ ...behindNat, CARTOON_EDGES: "127.0.0.1:50052" })).toBe("");
  expect(problem({ ...behindNat, CARTOON_EDGES: "edge.example.com:50052" })).toContain("in the clear");
  expect(
    problem({ ...behindNat, CARTOON_EDGES: "dns:edge.example.com:50052", CARTOON_EDGE_CA: "ca.crt" }),
  ).toBe("");
  expect(problem({ ...behindNat, CARTOON_EDGES: "nonsense" })).toContain("HOST:PORT");
  expect(problem({ CARTOON_EDGE_CERT: "node.crt" })).toContain("CARTOON_EDGE_KEY");
  expect(problem({ CARTOON_NODE_LISTEN: "0.0.0.0:50051" })).toContain("not a loopback address");
});
