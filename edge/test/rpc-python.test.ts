import { afterAll, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createKey, openDatabase } from "@cartoon/db";
import { startHarness } from "./harness.ts";

// A Python with `edge/test/python/requirements.txt` installed.
const python = process.env.CARTOON_TEST_PYTHON;
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

if (python === undefined)
  console.log("CARTOON_TEST_PYTHON is not set: the job service is not driven from Python");
else {
  const h = await startHarness({ env: { CARTOON_AUTH: "keys", CARTOON_GRPC_PORT: "0" } });
  afterAll(() => h.stop());

  test("a Python client generated from the protos submits, watches, reads and lists", async () => {
    const db = await openDatabase(join(h.dataDir, "cartoon.db"));
    const { token } = await createKey(db, { tenant: "acme", name: "python" });
    await db.close();
    const address = `127.0.0.1:${h.edge.grpcPort}`;
    const { stdout } = await promisify(execFile)(python, [
      path("python/grpc_client.py"),
      address,
      token,
      path("../../protos"),
    ]);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual({
      first: "queued",
      last: "succeeded",
      status: "succeeded",
      seed: 3,
      results: ["captions.vtt", "clip.gif", "clip.mp4", "manifest.json", "poster.png", "speech.wav"],
      listed: true,
      no_key: "UNAUTHENTICATED",
      unknown: "NOT_FOUND",
      too_large: "RESOURCE_EXHAUSTED",
      services: expect.arrayContaining(["cartoon.v1.JobService"]),
    });
  }, 60_000);
}
