import { describe, expect, test } from "bun:test";
import { EnvironmentError, parseEnv } from "./env.ts";

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

  test("empty variables count as absent", () => {
    expect(parseEnv({ PORT: "", CARTOON_PUBLIC_URL: "", CARTOON_DEBUG: "" }).port).toBe(8000);
    expect(parseEnv({ CARTOON_PUBLIC_URL: "https://x.example/" }).publicUrl).toBe("https://x.example");
  });
});
