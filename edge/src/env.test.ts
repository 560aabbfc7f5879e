import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { EnvironmentError, parseEnv, VARIABLE_NAMES } from "./env.ts";

const problems = (env: Record<string, string>) => {
  try {
    parseEnv(env);
    return [];
  } catch (error) {
    if (error instanceof EnvironmentError) return error.problems;
    throw error;
  }
};

describe("parseEnv", () => {
  test("an empty environment is a development edge, open on loopback", () => {
    expect(parseEnv({})).toMatchObject({
      environment: "development",
      host: "127.0.0.1",
      port: 8000,
      auth: "open",
    });
  });

  test("tells development, CI and production apart", () => {
    expect(parseEnv({ CI: "true" }).environment).toBe("ci");
    expect(parseEnv({ CI: "false" }).environment).toBe("development");
    expect(parseEnv({ NODE_ENV: "production" }).environment).toBe("production");
    expect(parseEnv({ CARTOON_ENV: "production", CI: "1" }).environment).toBe("production");
  });

  test("needs keys on any other address, and refuses to be open there", () => {
    expect(parseEnv({ HOST: "0.0.0.0" }).auth).toBe("keys");
    expect(problems({ HOST: "0.0.0.0", CARTOON_AUTH: "open" })[0]).toMatch(/^CARTOON_AUTH/);
    expect(parseEnv({ HOST: "::1" }).auth).toBe("open");
  });

  test("lists every problem at once", () => {
    const found = problems({ PORT: "99999", CARTOON_DEBUG: "maybe", CARTOON_URL_SECRET: "short" });
    expect(found.map((problem) => problem.split(":")[0])).toEqual([
      "CARTOON_DEBUG",
      "PORT",
      "CARTOON_URL_SECRET",
    ]);
    expect(problems({ CARTOON_STORE: "s3", CARTOON_NODES: "nonsense", CARTOON_NODE_CERT: "x" })).toHaveLength(
      6,
    );
  });

  test("every variable stands in the README, and the README has no other", () => {
    const text = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const table = text.slice(text.indexOf("| Variable |"));
    const named = table
      .split("\n")
      .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ""));
    expect(named.toSorted()).toEqual(VARIABLE_NAMES.toSorted());
  });

  test("nodes may dial in over TLS, or in plain text where nobody listens", () => {
    expect(parseEnv({}).nodes.addresses).toEqual(["127.0.0.1:50051"]);
    expect(parseEnv({ CARTOON_ATTACH_PORT: "50052" })).toMatchObject({
      nodes: { addresses: [] },
      attach: { port: 50052 },
    });
    expect(parseEnv({ CARTOON_NODES: "none" }).nodes.addresses).toEqual([]);
    const open = { HOST: "0.0.0.0", CARTOON_ATTACH_PORT: "50052" };
    expect(problems(open)[0]).toMatch(/^CARTOON_ATTACH_CERT: node tokens would travel in the clear/);
    expect(problems({ ...open, CARTOON_ATTACH_INSECURE: "1" })).toEqual([]);
    expect(problems({ ...open, CARTOON_ATTACH_CERT: "a" })[0]).toContain("go together");
    expect(problems({ CARTOON_ATTACH_PORT: "1", CARTOON_ATTACH_CLIENT_CA: "a" })[0]).toContain("needs");
  });

  test("empty variables count as absent", () => {
    expect(parseEnv({ PORT: "", CARTOON_PUBLIC_URL: "", CARTOON_DEBUG: "" }).port).toBe(8000);
    expect(parseEnv({ CARTOON_PUBLIC_URL: "https://x.example/" }).publicUrl).toBe("https://x.example");
  });
});
