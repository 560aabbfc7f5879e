import type { Job } from "@cartoon/db";
import type { Services } from "../../services.ts";

const GIB = 1024 ** 3;

/** v5 told of CUDA's allocator. What only the node knows is null here, not an invented number. */
export function memoryUsage(services: Services, job: Job) {
  const node = services.nodes.nodes.find((one) => one.id === job.nodeId);
  const total = node?.devices.reduce((sum, device) => sum + device.memory_bytes, 0) ?? 0;
  return {
    allocated_gb: null,
    reserved_gb: null,
    total_gb: total > 0 ? Math.round((total / GIB) * 100) / 100 : null,
    free_gb: null,
  };
}
