import type { Report } from "@cartoon/db";
import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";

type Update = Omit<Report, "id" | "fence">;

/** What a node's message means for the job: fields to update and the event for the log. */
export function reportOf(message: RunResponse__Output, checkpointKey: string): Update | undefined {
  const { accepted, progress, preview, checkpointed, warning, artefact } = message;
  if (accepted) {
    const data = { node: accepted.node_id, device: accepted.device, resumed_step: accepted.resumed_step };
    return { nodeId: accepted.node_id, events: [{ type: "accepted", data }] };
  }
  if (progress) {
    const { stage, fraction, step, steps, eta_seconds } = progress;
    const { speech_seconds, speech_seconds_expected } = progress;
    const speech = speech_seconds_expected > 0 ? { speech_seconds, speech_seconds_expected } : {};
    const data = { stage, fraction, step, steps, eta_seconds, ...speech };
    return { stage, progress: fraction, step, steps, events: [{ type: "progress", data }] };
  }
  if (preview?.content_type.startsWith("audio/")) {
    const { content_type, step: part, start_seconds, seconds, last, chunk, attempt } = preview;
    const data = new Uint8Array(preview.data);
    return {
      speechParts: [{ part, contentType: content_type, startSeconds: start_seconds, seconds, data }],
      events: [
        { type: "preview", data: { content_type, part, chunk, attempt, start_seconds, seconds, last } },
      ],
    };
  }
  if (preview) {
    const data = { step: preview.step, content_type: preview.content_type };
    return {
      preview: { contentType: preview.content_type, step: preview.step, data: new Uint8Array(preview.data) },
      events: [{ type: "preview", data }],
    };
  }
  if (checkpointed) return { checkpoint: { ...checkpointed, storageKey: checkpointKey } };
  if (message.log)
    return { events: [{ type: "log", data: { level: message.log.level, message: message.log.message } }] };
  if (warning) {
    const { field, given, used, rule } = warning;
    const data = { field, given, used, rule };
    return { warnings: [data], events: [{ type: "warning", data }] };
  }
  if (artefact) {
    const { name, content_type, bytes, sha256 } = artefact;
    return { events: [{ type: "artefact", data: { name, content_type, bytes, sha256 } }] };
  }
  return undefined;
}
