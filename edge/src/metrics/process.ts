import process from "node:process";
import { Gauge, type Registry } from "prom-client";

const PROBE_MS = 500;

/**
 * Memory, processor time and the delay of the event loop, under the names that dashboards know. The client's own
 * default metrics need hooks that not every runtime has.
 */
export function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory",
    registers,
    collect() {
      this.set(process.memoryUsage().rss);
    },
  });
  new Gauge({
    name: "process_cpu_seconds_total",
    help: "Processor time, user and system",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.set((user + system) / 1e6);
    },
  });
  new Gauge({ name: "process_start_time_seconds", help: "Start, in seconds since 1970", registers }).set(
    Math.round(Date.now() / 1000 - process.uptime()),
  );
  addLoopDelay(registry);
}

/** The longest that the event loop kept a timer waiting since the last scrape. */
function addLoopDelay(registry: Registry): void {
  let longest = 0;
  let due = performance.now() + PROBE_MS;
  const probe = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - due);
    due = now + PROBE_MS;
  }, PROBE_MS);
  // Deno's timers are numbers unless they come from node:timers.
  (probe as { unref?: () => void }).unref?.();
  new Gauge({
    name: "cartoon_event_loop_delay_seconds",
    help: "Longest delay of the event loop since the last scrape",
    registers: [registry],
    collect() {
      this.set(Math.max(longest, performance.now() - due, 0) / 1000);
      longest = 0;
    },
  });
}
