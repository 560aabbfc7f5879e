import { expect, test } from "bun:test";
import { parseGpus, readGpus } from "./nvidia-smi.ts";
import { ownGpus, UsageMeter } from "./usage.ts";

// As nvidia-smi 580 writes it; the third is a GPU in MIG mode, which does not tell its load.
const ANSWER = `0, GPU-5f3a9a1e-0001-4c1e-9d1f-6d1f7a3b2c11, 41237, 81559, 97
1, GPU-77aa0b9c-0002-4c1e-9d1f-6d1f7a3b2c12, 4, 81559, 0
2, GPU-99bb1c8d-0003-4c1e-9d1f-6d1f7a3b2c13, 12, 81559, [N/A]
`;

test("memory and load of GPUs are read as the driver tells them", () => {
  const gpus = parseGpus(ANSWER);
  expect(gpus.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(gpus[0]).toMatchObject({
    memory_used_bytes: 41_237 * 1024 * 1024,
    memory_total_bytes: 81_559 * 1024 * 1024,
    utilization: 0.97,
  });
  expect(gpus[2]?.utilization).toBe(0);
  expect(parseGpus("No devices were found\n")).toEqual([]);
  expect(parseGpus("0, GPU-1, [N/A], [N/A], 3")).toEqual([]);
});

test("a node tells of its own GPUs alone", () => {
  const gpus = parseGpus(ANSWER);
  const own = (devices: number[], visible?: string) =>
    ownGpus(
      gpus,
      devices.map((index) => ({ kind: "cuda", index }) as const),
      visible,
    ).map(({ index }) => index);
  expect(own([1])).toEqual([1]);
  expect(own([0], "2,1")).toEqual([2]);
  expect(own([0, 1], "GPU-99bb1c8d,GPU-5f3a9a1e")).toEqual([0, 2]);
  expect(ownGpus(gpus, [{ kind: "cpu" }], undefined)).toEqual([]);
});

test("where there is no driver there are no GPUs, and a process has memory", async () => {
  if (!Bun.which("nvidia-smi")) expect(await readGpus()).toEqual([]);
  let samples = 0;
  const meter = new UsageMeter({
    devices: [{ kind: "cpu" }],
    pids: () => [process.pid],
    onSample: () => samples++,
  });
  await meter.sample();
  meter.close();
  expect(samples).toBe(1);
  expect(meter.read().gpus).toEqual([]);
  if (process.platform === "linux") expect(meter.read().runner_memory_bytes).toBeGreaterThan(10e6);
});

test("LoRAs that are not those before are a swap, for each slot by itself", () => {
  const meter = new UsageMeter({ devices: [], pids: () => [], onSample: () => {} });
  const [one, two] = [{}, {}];
  const temo = [{ name: "temo", weight: 1 }];
  const both = [...temo, { name: "felfel", weight: 1 }];
  const swaps = () => meter.read().lora_swaps;
  meter.drawsWith(one, "toon", temo);
  meter.drawsWith(one, "toon", temo);
  meter.drawsWith(one, "toon", []);
  meter.drawsWith(one, "toon", temo);
  expect(swaps()).toBe(1);
  meter.drawsWith(one, "toon", both);
  meter.drawsWith(two, "toon", both);
  meter.drawsWith(two, "toon", [{ name: "temo", weight: 0.5 }]);
  expect(swaps()).toBe(4);
  meter.close();
});
