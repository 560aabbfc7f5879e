import { afterAll, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { formatTraceparent, parseTraceparent } from "../src/tracing/context.ts";
import { sleep, startHarness } from "./harness.ts";

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
}
const spans: Span[] = [];
const told: unknown[] = [];
const collector = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  if (request.url === "/hook") {
    told.push(request.headers.traceparent);
    return void response.writeHead(204).end();
  }
  for (const { scopeSpans } of JSON.parse(body).resourceSpans)
    for (const scope of scopeSpans) spans.push(...(scope.spans as Span[]));
  response.writeHead(200, { "content-type": "application/json" }).end("{}");
});
await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
const { port } = collector.address() as AddressInfo;
const h = await startHarness({
  env: {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/`,
    CARTOON_FETCH_ALLOW: `127.0.0.1:${port}`,
  },
});
afterAll(() => {
  collector.closeAllConnections();
  collector.close();
});

test("traceparent is read strictly", () => {
  const header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  expect(
    formatTraceparent(parseTraceparent(header) as NonNullable<ReturnType<typeof parseTraceparent>>),
  ).toBe(header);
  for (const bad of [
    undefined,
    "",
    header.slice(1),
    header.replace("00-", "ff-"),
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  ])
    expect(parseTraceparent(bad)).toBeUndefined();
});

test("one trace goes from the caller's request over queue, node and stages to the webhook", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  const request = { prompt: "temo waves", webhook: { url: `http://127.0.0.1:${port}/hook` } };
  const { body } = await h.call("POST", "/v1/renders", request, headers);
  expect((await h.finished(body.id)).status).toBe("succeeded");
  const deliveries = `/v1/webhooks/deliveries?render_id=${body.id}`;
  while ((await h.call("GET", deliveries)).body.deliveries[0]?.status !== "delivered") await sleep(10);
  const run = h.node.runs[0];
  expect(parseTraceparent(run?.request.traceparent)?.traceId).toBe(traceId);
  await h.stop();
  const mine = spans.filter((span) => span.traceId === traceId);
  const byName = (name: string) => mine.find((span) => span.name === name);
  expect(byName("POST /v1/renders")?.parentSpanId).toBe("b7ad6b7169203331");
  const root = byName("POST /v1/renders")?.spanId ?? "";
  expect(byName("queue")?.parentSpanId).toBe(root);
  expect(byName("NodeService.Run")?.parentSpanId).toBe(root);
  expect(byName("webhook")?.parentSpanId).toBe(root);
  expect(parseTraceparent(told[0])).toMatchObject({ traceId, spanId: byName("webhook")?.spanId ?? "" });
  const call = byName("NodeService.Run")?.spanId ?? "";
  const runner = byName("runner");
  expect(runner?.parentSpanId).toBe(call);
  for (const stage of ["lora", "denoise", "decode", "speech"])
    expect([stage, byName(stage)?.parentSpanId]).toEqual([stage, runner?.spanId]);
  for (const stage of ["mux", "upload"]) expect([stage, byName(stage)?.parentSpanId]).toEqual([stage, call]);
  expect(run?.request.traceparent).toContain(byName("NodeService.Run")?.spanId ?? "none");
});
