import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Harness, sleep, startHarness } from "../../test/harness.ts";

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
  for (const stage of ["lora", "denoise", "vae", "tts", "mux", "upload"])
    expect([stage, found.get(`cartoon_stage_seconds_count{stage="${stage}"}`)]).toEqual([stage, 1]);
  expect([...found.keys()].some((key) => key.startsWith('cartoon_step_seconds_count{shape="'))).toBe(true);
  expect(found.get("cartoon_device_seconds_total")).toBeGreaterThan(0);
  expect(found.get("cartoon_jobs_pending")).toBe(0);
  expect(found.get('cartoon_nodes{health="ready"}')).toBe(1);
  expect(found.get("cartoon_permits_free")).toBe(2);
  expect(found.get("cartoon_database_up")).toBe(1);
  expect(found.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
});

test("what a node measures of itself is shown, and nothing that it does not measure", async () => {
  const usage = (gpus: { index: number; memory_used_bytes: number }[], lora_swaps: number) => ({
    gpus: gpus.map((gpu) => ({ ...gpu, memory_total_bytes: 85_899_345_920, utilization: 0.5 })),
    runner_memory_bytes: 123_456,
    lora_swaps,
  });
  const shown = async (name: string) => {
    await sleep(50);
    return [...(await samples())].filter(([key]) => key.startsWith(`${name}{`));
  };
  expect(await shown("cartoon_gpu_memory_bytes")).toEqual([]);
  expect(await shown("cartoon_lora_swaps_total")).toEqual([]);
  harness.node.setUsage(usage([{ index: 1, memory_used_bytes: 4096 }], 3));
  expect(await shown("cartoon_gpu_memory_bytes")).toEqual([
    ['cartoon_gpu_memory_bytes{node="scripted",gpu="1"}', 4096],
  ]);
  expect(await shown("cartoon_gpu_utilization")).toEqual([
    ['cartoon_gpu_utilization{node="scripted",gpu="1"}', 0.5],
  ]);
  expect(await shown("cartoon_lora_swaps_total")).toEqual([['cartoon_lora_swaps_total{node="scripted"}', 3]]);
  expect(await shown("cartoon_runner_memory_bytes")).toEqual([
    ['cartoon_runner_memory_bytes{node="scripted"}', 123_456],
  ]);
  harness.node.setUsage(usage([], 4));
  expect(await shown("cartoon_gpu_memory_bytes")).toEqual([]);
  expect(await shown("cartoon_lora_swaps_total")).toEqual([['cartoon_lora_swaps_total{node="scripted"}', 4]]);
});

// Names that users have dashboards for: every one is there, and the handbook says where Triton's went.
const NAMES = {
  cartoon_jobs_total: ["outcome"],
  cartoon_jobs_pending: [],
  cartoon_queue_seconds: [],
  cartoon_stage_seconds: ["stage"],
  cartoon_step_seconds: ["shape"],
  cartoon_lora_swaps_total: ["node"],
  cartoon_gpu_memory_bytes: ["node", "gpu"],
};
const TRITON = [
  "nv_inference_request_success",
  "nv_inference_request_failure",
  "nv_inference_count",
  "nv_inference_exec_count",
  "nv_inference_pending_request_count",
  "nv_inference_request_duration_us",
  "nv_inference_queue_duration_us",
  "nv_inference_compute_input_duration_us",
  "nv_inference_compute_infer_duration_us",
  "nv_inference_compute_output_duration_us",
  "nv_gpu_utilization",
  "nv_gpu_memory_used_bytes",
];

test("the names are those that dashboards know, and the handbook lists every one", async () => {
  const text = String((await harness.call("GET", "/metrics")).body);
  const declared = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name ?? "");
  for (const name of Object.keys(NAMES)) expect(declared).toContain(name);
  const handbook = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
  for (const [name, labels] of Object.entries(NAMES))
    expect(handbook).toContain(`\`${name}${labels.length > 0 ? `{${labels.join(",")}}` : ""}\``);
  for (const name of declared.filter((one) => one.startsWith("cartoon_"))) expect(handbook).toContain(name);
  const table = handbook.slice(handbook.indexOf("| Triton |")).split("\n");
  for (const name of TRITON) {
    const row = table.find((line) => line.split("|")[1]?.includes(name));
    const ours = [...(row?.split("|")[2] ?? "").matchAll(/cartoon_\w+/g)].map(([one]) => one);
    expect([name, ours.length > 0]).toEqual([name, true]);
    for (const one of ours) expect(declared).toContain(one.replace(/_count$/, ""));
  }
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
