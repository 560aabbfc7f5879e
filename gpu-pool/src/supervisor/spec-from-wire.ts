import { RenderSpec } from "@cartoon/protos";
import type { RenderSpec__Output } from "@cartoon/protos/gen/RenderSpec";

/** A spec that this node cannot render, in words for the one who sent it. */
export class SpecError extends Error {
  override readonly name = "SpecError";
}

/**
 * The canonical spec from its message. proto-loader adds a `_field` marker beside every optional field and null
 * for absent messages; neither belongs to the spec.
 * @throws SpecError naming every field that is wrong
 */
export function specFromWire(message: RenderSpec__Output | null): RenderSpec {
  if (!message) throw new SpecError("spec: is missing");
  const parsed = RenderSpec.safeParse(withoutMarkers(message));
  if (parsed.success) return parsed.data;
  throw new SpecError(
    parsed.error.issues.map((issue) => `${issue.path.join(".") || "spec"}: ${issue.message}`).join("; "),
  );
}

function withoutMarkers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarkers);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([key, field]) => !key.startsWith("_") && field !== null);
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutMarkers(field)]));
}
