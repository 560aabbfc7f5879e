import { Presets, SingleBar } from "cli-progress";
import type { EdgeClient, Render, RenderEvent } from "./edge-client.ts";

const STAGES: Record<string, string> = {
  queued: "waiting",
  load: "loading models",
  speech: "speaking",
  denoise: "drawing",
  decode: "drawing",
  mux: "encoding",
  upload: "storing",
};

/** Follows a render with a bar on the terminal; plain lines where there is none. */
export async function followWithBar(client: EdgeClient, id: string, signal?: AbortSignal): Promise<Render> {
  const bar = new SingleBar(
    {
      format: "{bar} {percentage}%  {stage} {detail}",
      hideCursor: true,
      clearOnComplete: false,
      noTTYOutput: true,
      notTTYSchedule: 2_000,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  bar.start(100, 0, { stage: STAGES.queued, detail: "" });
  try {
    const render = await client.follow(id, (event) => show(bar, event), signal);
    if (render.status === "succeeded") bar.update(100, { stage: "done", detail: "" });
    return render;
  } finally {
    bar.stop();
  }
}

function show(bar: SingleBar, { type, data }: RenderEvent): void {
  if (type !== "progress") return;
  const { stage, fraction, step, steps, eta_seconds: eta } = data;
  const detail = [
    stage === "denoise" ? `step ${step}/${steps}` : "",
    typeof eta === "number" && eta >= 1 ? `${Math.ceil(eta)} s left` : "",
  ];
  bar.update(Math.floor(Number(fraction) * 100), {
    stage: STAGES[String(stage)] ?? stage,
    detail: detail.filter(Boolean).join(", "),
  });
}

export const size = (bytes: number): string =>
  bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
