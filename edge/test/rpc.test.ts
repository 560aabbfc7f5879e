import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createKey, openDatabase } from "@cartoon/db";
import { JobService } from "@cartoon/protos";
import type { JobServiceWatchResponse__Output } from "@cartoon/protos/gen/JobServiceWatchResponse";
import type { SubmitResponse__Output } from "@cartoon/protos/gen/SubmitResponse";
import {
  type Client,
  credentials,
  Metadata,
  makeClientConstructor,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { type Harness, startHarness } from "./harness.ts";

let h: Harness;
let client: InstanceType<typeof JobService>;
const metadata = new Metadata();
const clients: Client[] = [];

beforeAll(async () => {
  h = await startHarness({ env: { CARTOON_AUTH: "keys", CARTOON_GRPC_PORT: "0" } });
  const db = await openDatabase(join(h.dataDir, "cartoon.db"));
  const { token } = await createKey(db, { tenant: "acme", name: "service" });
  await db.close();
  metadata.set("authorization", `Bearer ${token}`);
  client = new JobService(`127.0.0.1:${h.edge.grpcPort}`, credentials.createInsecure());
  clients.push(client);
});
afterAll(async () => {
  for (const one of clients) one.close();
  await h.stop();
});

type Reply<T> = (error: ServiceError | null, answer?: T) => void;
const ask = <T>(call: (reply: Reply<T>) => void) =>
  new Promise<T>((resolve, reject) => call((error, answer) => (answer ? resolve(answer) : reject(error))));

const spec = {
  clip: { prompt: "temo and felfel dance" },
  speech: { lines: [{ speaker: "temo", text: "Hello!" }] },
};
const submit = (more = {}) =>
  ask<SubmitResponse__Output>((reply) => client.Submit({ spec, ...more }, metadata, reply));

describe("JobService", () => {
  test("submits with the defaults of the pack, watches to the end, reads and lists", async () => {
    const { job } = await submit();
    expect(job?.spec?.clip).toMatchObject({
      width: 256,
      num_frames: 16,
      characters: [{ name: "temo" }, { name: "felfel" }],
    });
    const types: string[] = [];
    const stream = client.Watch({ id: job?.id }, metadata) as AsyncIterable<JobServiceWatchResponse__Output>;
    for await (const event of stream) types.push(event.type);
    expect([types[0], types.at(-1)]).toEqual(["queued", "succeeded"]);
    const { job: done } = await ask<SubmitResponse__Output>((reply) =>
      client.Get({ id: job?.id }, metadata, reply),
    );
    expect([done?.status, done?.results.length]).toEqual(["succeeded", 6]);
    expect((await fetch(done?.results[0]?.url ?? "")).status).toBe(200);
    const list = await ask<{ jobs: unknown[] }>((reply) => client.List({ limit: 5 }, metadata, reply));
    expect(list.jobs.length).toBe(1);
  });

  test("draws with registered characters and LoRAs by URL, and repeats the spec of an earlier job", async () => {
    const headers = { authorization: String(metadata.get("authorization")[0]) };
    await h.call("POST", "/v1/characters", { name: "nana", voice_seed: 7 }, headers);
    const loras = [{ url: "https://example.com/style.safetensors", weight: 0.5 }];
    const first = await submit({ spec: { clip: { prompt: "nana knits", loras } } });
    expect(first.job?.spec).toMatchObject({
      clip: { loras: [{ url: "https://example.com/style.safetensors", weight: 0.5 }] },
      registered: [{ name: "nana", voice_seed: 7 }],
    });
    await h.call("DELETE", "/v1/characters/nana", undefined, headers);
    const again = await submit({ spec: first.job?.spec });
    expect(again.job?.spec?.registered).toEqual(first.job?.spec?.registered);
  });

  test("knows storyboards by their id: reads, watches and cancels them", async () => {
    const shots = [{ prompt: "temo waves" }, { prompt: "felfel reads" }];
    const headers = { authorization: String(metadata.get("authorization")[0]) };
    const { id } = (await h.call("POST", "/v1/storyboards", { shots }, headers)).body;
    const types: string[] = [];
    const stream = client.Watch({ id }, metadata) as AsyncIterable<JobServiceWatchResponse__Output>;
    for await (const event of stream) types.push(event.type);
    expect([types[0], types.at(-1)]).toEqual(["queued", "succeeded"]);
    const get = (reply: Reply<SubmitResponse__Output>) => client.Get({ id }, metadata, reply);
    const { job } = await ask<SubmitResponse__Output>(get);
    expect(job?.spec?.join?.shots).toHaveLength(2);
    expect(job?.results.map(({ name }) => name)).toContain("clip.mp4");
    const { job: same } = await ask<SubmitResponse__Output>((reply) =>
      client.Cancel({ id }, metadata, reply),
    );
    expect(same?.status).toBe("succeeded");
  });

  test("takes no message of more than a megabyte, and goes on", async () => {
    const prompt = "x".repeat(1_100_000);
    const refused = await submit({ spec: { clip: { prompt } } }).catch((error: ServiceError) => error);
    expect(refused).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect((await submit()).job?.status).toBe("queued");
  });

  test("is idempotent, and cancels", async () => {
    const [one, two] = [await submit({ idempotency_key: "k" }), await submit({ idempotency_key: "k" })];
    expect(one.job?.id).toBe(two.job?.id ?? "");
    const { job } = await ask<SubmitResponse__Output>((reply) =>
      client.Cancel({ id: one.job?.id }, metadata, reply),
    );
    expect(job?.id).toBe(one.job?.id ?? "");
  });

  test("refuses as the HTTP API does", async () => {
    const codeOf = (promise: Promise<unknown>) =>
      promise.then(
        () => "OK",
        (error: ServiceError) => status[error.code],
      );
    expect(await codeOf(submit({ spec: {} }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(submit({ spec: { clip: { prompt: "x", width: 9 } } }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(submit({ priority: "urgent" }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(ask((reply) => client.Get({ id: "job_none" }, metadata, reply)))).toBe("NOT_FOUND");
    expect(await codeOf(ask((reply) => client.Submit({ spec }, new Metadata(), reply)))).toBe(
      "UNAUTHENTICATED",
    );
    const error = (await submit({ spec: { clip: { prompt: "x", width: 9 } } }).catch(
      (e) => e,
    )) as ServiceError;
    expect(JSON.parse(String(error.metadata.get("problem-json")[0])).errors[0].pointer).toBe("#/clip/width");
  });

  test("has health and reflection", async () => {
    const address = `127.0.0.1:${h.edge.grpcPort}`;
    const Health = makeClientConstructor(healthService, "Health");
    const health = new Health(address, credentials.createInsecure());
    clients.push(health);
    const check = health.check?.bind(health) as (request: object, reply: Reply<{ status: string }>) => void;
    expect(
      (await ask<{ status: string }>((reply) => check({ service: "cartoon.v1.JobService" }, reply))).status,
    ).toBe("SERVING");
  });
});
