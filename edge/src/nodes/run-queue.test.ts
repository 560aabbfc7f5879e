import { expect, test } from "bun:test";
import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";
import { status as Code } from "@grpc/grpc-js";
import { AttachedTransport, type AttachStream, serviceError } from "./attached.ts";
import { RunQueue } from "./run-queue.ts";

const message = (sequence: number) => ({ sequence }) as RunResponse__Output;
const sequences = async (queue: RunQueue) => {
  const seen: number[] = [];
  for await (const { sequence } of queue) seen.push(sequence);
  return seen;
};

test("what came before the end is handed out, in order; then it ends, or throws", async () => {
  const queue = new RunQueue(
    () => {},
    () => {},
  );
  const seen = sequences(queue);
  queue.push(message(1));
  queue.push(message(2));
  await Promise.resolve();
  queue.push(message(3));
  queue.end(undefined);
  queue.push(message(4));
  queue.end(serviceError(Code.INTERNAL, "too late"));
  expect(await seen).toEqual([1, 2, 3]);

  const broken = new RunQueue(
    () => {},
    () => {},
  );
  broken.push(message(1));
  broken.end(serviceError(Code.UNAVAILABLE, "cut"));
  await expect(sequences(broken)).rejects.toMatchObject({ code: Code.UNAVAILABLE });
});

test("a node that talks faster than it is written down is held back, and let go on", async () => {
  const said: string[] = [];
  const written: object[] = [];
  const stream: AttachStream = {
    write: (one) => written.push(one),
    pause: () => said.push("pause"),
    resume: () => said.push("resume"),
    hangUp: ({ details }) => said.push(details),
  };
  const transport = new AttachedTransport("attached:gpu/1");
  transport.open(stream, { status: null, packs: [], devices: [], version: "" });
  const call = transport.run({ job_id: "job_1" });
  expect(written).toEqual([{ call: 1, run: { job_id: "job_1" } }]);
  const run = (sequence: number) =>
    transport.receive(stream, { call: 1, status: null, run: message(sequence) });
  for (let i = 1; i <= 255; i++) run(i);
  expect(said).toEqual([]);
  run(256);
  expect(said).toEqual(["pause"]);
  const iterator = call[Symbol.asyncIterator]();
  expect((await iterator.next()).value?.sequence).toBe(1);
  expect(said).toEqual(["pause", "resume"]);
  run(257);
  expect(said).toEqual(["pause", "resume", "pause"]);
  call.cancel();
  expect(said).toEqual(["pause", "resume", "pause", "resume"]);
  expect(written.at(-1)).toEqual({ call: 1, cancel: {} });
  for (let i = 2; i <= 257; i++) expect((await iterator.next()).value?.sequence).toBe(i);
  await expect(iterator.next()).rejects.toMatchObject({ code: Code.CANCELLED });
});

test("without a stream a run is refused at once, and a stop finds nobody", async () => {
  const transport = new AttachedTransport("attached:gpu/2");
  const [next] = [transport.run({ job_id: "job_1" })[Symbol.asyncIterator]().next()];
  await expect(next).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  expect(await transport.stop({ jobId: "job_1", fence: 1, partial: false })).toBe(false);
  await expect(transport.describe()).rejects.toMatchObject({ code: Code.UNAVAILABLE });
});
