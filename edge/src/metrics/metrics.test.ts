import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Harness, startHarness } from "../../test/harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

async function samples(): Promise<Map<string, number>> {
  const { status, headers, body } = await harness.call("GET", "/metrics");
  expect(status).toBe(200);
  expect(headers.get("content-type")).toStartWith("text/plain");
  const lines = String(body)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

const clip = { prompt: "temo on the moon", num_frames: 8 };

test("a render shows in the counters and histograms, and its waiting in the gauges", async () => {
  const { body: render } = await harness.call("POST", "/v1/renders", { clip });
  await harness.finished(render.id);
  const found = await samples();
  expect(found.get('cartoon_jobs_total{outcome="succeeded"}')).toBe(1);
  expect(found.get('cartoon_jobs_total{outcome="failed"}')).toBe(0);
  expect(found.get("cartoon_queue_seconds_count")).toBe(1);
  expect(found.get('cartoon_stage_seconds_count{stage="denoise"}')).toBe(1);
  expect([...found.keys()].some((key) => key.startsWith('cartoon_step_seconds_count{shape="'))).toBe(true);
  expect(found.get("cartoon_device_seconds_total")).toBeGreaterThan(0);
  expect(found.get("cartoon_jobs_pending")).toBe(0);
  expect(found.get('cartoon_nodes{health="ready"}')).toBe(1);
  expect(found.get("cartoon_permits_free")).toBe(2);
  expect(found.get("cartoon_database_up")).toBe(1);
  expect(found.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
});

test("requests are counted under their route, whatever the id", async () => {
  await harness.call("GET", "/v1/renders/job_that_is_not_there");
  await harness.call("GET", "/v1/renders/nor_is_this_one");
  await harness.call("GET", "/nothing/here");
  const found = await samples();
  const count = (route: string, method: string, status: number) =>
    found.get(`cartoon_http_request_seconds_count{route="${route}",method="${method}",status="${status}"}`);
  expect(count("/v1/renders/:id", "GET", 404)).toBe(2);
  expect(count("/v1/renders", "POST", 202)).toBe(1);
  expect(count("unmatched", "GET", 404)).toBe(1);
});

test("a failure counts once, its attempts by their code", async () => {
  harness.node.script = async (run) => {
    run.send({ failed: { code: "out_of_paint", message: "no paint", retryable: false, receipt: null } });
    run.end();
  };
  const { body: render } = await harness.call("POST", "/v1/renders", { clip });
  await harness.finished(render.id);
  const found = await samples();
  expect(found.get('cartoon_jobs_total{outcome="failed"}')).toBe(1);
  expect(found.get('cartoon_attempt_failures_total{code="out_of_paint"}')).toBe(1);
});

test("with keys, the metrics are for admins", async () => {
  const keyed = await startHarness({ env: { CARTOON_AUTH: "keys" } });
  try {
    expect((await keyed.call("GET", "/metrics")).status).toBe(401);
    expect((await keyed.call("GET", "/livez")).status).toBe(200);
  } finally {
    await keyed.stop();
  }
});
