import { Presets, SingleBar } from "cli-progress";
import { size } from "../../../lib/progress.ts";
import { messageOf } from "../../exit.ts";
import type { Finding } from "../findings.ts";
import { type InstallOptions, installCudaLibraries, installProvider } from "./install.ts";
import type { GpuMachine } from "./machine.ts";

/** Installs what a GPU node misses, with a bar; what was done and what failed are findings like any other. */
export async function* fixGpu(
  machine: GpuMachine,
  options: { origin: string | undefined; wheel: string | undefined; libraries: boolean; signal: AbortSignal },
): AsyncGenerator<Finding> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    const detail = `the CUDA provider is for 64-bit Linux on x86, not ${process.platform} ${process.arch}`;
    yield { name: "fix", state: "note", detail };
    return;
  }
  const bar = new SingleBar(
    {
      format: "{bar} {percentage}%  {done} of {all}  {name}",
      ...{ hideCursor: true, noTTYOutput: true, notTTYSchedule: 10_000, stream: process.stderr },
    },
    Presets.shades_classic,
  );
  const install: InstallOptions = {
    ...{ origin: options.origin, wheel: options.wheel, signal: options.signal },
    onStart: ({ name, bytes }) => bar.start(bytes, 0, { name, done: size(0), all: size(bytes) }),
    onBytes: (_, done) => bar.update(done, { done: size(done) }),
  };
  try {
    if (await installProvider(machine, install))
      yield { name: "fix", state: "ok", detail: "the CUDA provider is in place" };
    const installed = options.libraries ? await installCudaLibraries(machine, install) : [];
    bar.stop();
    if (installed.length > 0)
      yield { name: "fix", state: "ok", detail: `${installed.join(", ")} in ${machine.cudaDir}` };
  } catch (error) {
    bar.stop();
    options.signal.throwIfAborted();
    const advice = "run it again: it goes on where it stopped";
    yield { name: "fix", state: "bad", detail: messageOf(error), advice };
  }
}
