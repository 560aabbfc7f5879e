import { Presets, SingleBar } from "cli-progress";
import type { EdgeClient, Render, RenderEvent, Storyboard } from "./edge-client.ts";

const STAGES: Record<string, string> = {
  queued: "waiting",
  load: "loading models",
  speech: "speaking",
  denoise: "drawing",
  decode: "drawing",
  mux: "encoding",
  upload: "storing",
};

/** A bar on the terminal; plain lines where there is none. */
function newBar(): SingleBar {
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
  return bar;
}

/** Follows a storyboard with a bar: shots done, and what the others are at. */
export async function storyboardWithBar(
  client: EdgeClient,
  id: string,
  signal?: AbortSignal,
): Promise<Storyboard> {
  const bar = newBar();
  try {
    const done = await client.watchStoryboard(id, (one) => showShots(bar, one), signal);
    if (done.status === "succeeded") bar.update(100, { stage: "done", detail: "" });
    return done;
  } finally {
    bar.stop();
  }
}

function showShots(bar: SingleBar, { stage, progress, shots, shots_done }: Storyboard): void {
  const busy = shots.flatMap((shot, i) => {
    if (shot.status !== "running") return [];
    const step = shot.stage === "denoise" ? ` ${shot.step}/${shot.steps}` : "";
    return [`shot ${i + 1} ${STAGES[shot.stage] ?? shot.stage}${step}`];
  });
  bar.update(Math.floor(progress * 100), {
    stage: stage === "join" ? "joining" : `${shots_done}/${shots.length} shots`,
    detail: stage === "join" ? "" : busy.join(", "),
  });
}

/** Follows a render with a bar. */
export async function followWithBar(
  client: EdgeClient,
  id: string,
  signal?: AbortSignal,
  onEvent: (event: RenderEvent) => void = () => {},
): Promise<Render> {
  const bar = newBar();
  try {
    const told = (event: RenderEvent) => {
      onEvent(event);
      show(bar, event);
    };
    const render = await client.follow(id, told, signal);
    if (render.status === "succeeded") bar.update(100, { stage: "done", detail: "" });
    return render;
  } finally {
    bar.stop();
  }
}

function show(bar: SingleBar, { type, data }: RenderEvent): void {
  if (type !== "progress") return;
  const { stage, fraction, step, steps, eta_seconds: eta } = data;
  const { speech_seconds: spoken, speech_seconds_expected: expected } = data;
  const detail = [
    stage === "denoise" ? `step ${step}/${steps}` : "",
    typeof spoken === "number"
      ? `${spoken.toFixed(1)} of about ${Number(expected).toFixed(1)} s of speech`
      : "",
    typeof eta === "number" && eta >= 1 ? `${Math.ceil(eta)} s left` : "",
  ];
  bar.update(Math.floor(Number(fraction) * 100), {
    stage: STAGES[String(stage)] ?? stage,
    detail: detail.filter(Boolean).join(", "),
  });
}

export const size = (bytes: number): string =>
  bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
