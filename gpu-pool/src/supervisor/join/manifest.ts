import type { JoinSpec, Warning } from "@cartoon/protos";
import type { Caption } from "../../media/index.ts";
import type { ShotMaterial } from "./inputs.ts";
import type { JoinPlan } from "./plan.ts";

export interface JoinManifestInput {
  version: string;
  spec: JoinSpec;
  shots: ShotMaterial[];
  plan: JoinPlan;
  captions: Caption[];
  warnings: Warning[];
}

/** What the joined clip is made of; the same shots give the same text. */
export function joinProvenance({ version, spec, shots, plan, captions, warnings }: JoinManifestInput) {
  const { fps, title } = spec;
  return {
    generator: "cartoon-animation-worker",
    version,
    title,
    ...{ width: plan.width, height: plan.height, fps, seconds: plan.seconds },
    shots: shots.map(({ jobId, manifest, seconds }, i) => ({
      job_id: jobId,
      manifest_sha256: manifest.sha256,
      seed: manifest.seed,
      start: (plan.places[i]?.start ?? 0) / fps,
      seconds,
    })),
    transitions: spec.transitions.map(({ type }, i) => {
      const overlap = plan.places[i]?.overlap ?? 0;
      return { type: overlap > 0 ? type : "cut", seconds: overlap / fps };
    }),
    captions,
    warnings,
  };
}
