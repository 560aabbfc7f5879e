import type { NodeUsage__Output } from "@cartoon/protos/gen/NodeUsage";
import { Counter, Gauge, type Registry } from "prom-client";

/** A node with what it has measured of itself; undefined while it can't be reached. */
export interface MeasuredNode {
  readonly id: string;
  readonly usage: NodeUsage__Output | undefined;
}

type Gpu = NodeUsage__Output["gpus"][number];

/**
 * What nodes measure of themselves, read when it is asked for. Every edge shows the same. A node without a GPU has no
 * series of GPUs.
 */
export function addUsageMetrics(registry: Registry, nodes: () => readonly MeasuredNode[]): void {
  const registers = [registry];
  const gpuGauge = (name: string, help: string, read: (gpu: Gpu) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ["node", "gpu"],
      registers,
      collect() {
        this.reset();
        for (const { id, usage } of nodes())
          for (const gpu of usage?.gpus ?? []) this.set({ node: id, gpu: String(gpu.index) }, read(gpu));
      },
    });
  gpuGauge("cartoon_gpu_memory_bytes", "Memory in use of a node's GPU", (gpu) => gpu.memory_used_bytes);
  gpuGauge("cartoon_gpu_memory_total_bytes", "Memory of a node's GPU", (gpu) => gpu.memory_total_bytes);
  gpuGauge("cartoon_gpu_utilization", "How busy a node's GPU is, 0 to 1", (gpu) => gpu.utilization);
  new Gauge({
    name: "cartoon_runner_memory_bytes",
    help: "Resident memory of a node's runner processes",
    labelNames: ["node"],
    registers,
    collect() {
      this.reset();
      for (const { id, usage } of nodes())
        if (usage && usage.runner_memory_bytes > 0) this.set({ node: id }, usage.runner_memory_bytes);
    },
  });
  new Counter({
    name: "cartoon_lora_swaps_total",
    help: "Times that a node drew with other LoRAs than before, since it started",
    labelNames: ["node"],
    registers,
    collect() {
      this.reset();
      for (const { id, usage } of nodes()) if (usage) this.inc({ node: id }, usage.lora_swaps);
    },
  });
}
