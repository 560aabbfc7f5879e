import type { z } from "zod";
import { ApiError, type FieldError } from "./table.ts";

type Issue = z.core.$ZodIssue;

const escapePointer = (part: PropertyKey) => String(part).replaceAll("~", "~0").replaceAll("/", "~1");
/** JSON pointer as a URI fragment, e.g. `#/clip/width`. */
export const pointerTo = (path: readonly PropertyKey[]) =>
  path.length === 0 ? "#" : `#/${path.map(escapePointer).join("/")}`;

// Of a union's branches the one that got furthest says best what is wrong.
function flatten(issue: Issue, prefix: readonly PropertyKey[]): FieldError[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ detail: "unknown field", pointer: pointerTo([...path, key]) }));
  if (issue.code === "invalid_union") {
    const branches = issue.errors.map((branch) => branch.flatMap((inner) => flatten(inner, path)));
    const deepest = branches.filter((branch) => branch.some((error) => error.pointer !== pointerTo(path)));
    const chosen = deepest.length === 1 ? (deepest[0] ?? []) : branches.flat();
    const unique = new Map(chosen.map((error) => [`${error.pointer} ${error.detail}`, error]));
    if (unique.size > 0) return [...unique.values()];
  }
  return [{ detail: issue.message, pointer: pointerTo(path) }];
}

const MAX_ERRORS = 20;

/** Every issue of a failed parse, each with the pointer to its field. */
export function fieldErrors(issues: readonly Issue[]): FieldError[] {
  return issues.flatMap((issue) => flatten(issue, [])).slice(0, MAX_ERRORS);
}

/** A zod failure as the problem that the client sees. `target` is hono's name of the validated part. */
export function validationError(issues: readonly Issue[], target = "json"): ApiError {
  const errors = fieldErrors(issues).map((error) =>
    target === "json"
      ? error
      : { detail: error.detail, parameter: (error.pointer ?? "#").replace(/^#\/?/, "") },
  );
  const first = errors[0];
  const where = first?.pointer ?? first?.parameter ?? "";
  return new ApiError(
    target === "json" ? "validation_failed" : "invalid_request",
    first ? `${where}: ${first.detail}` : "a field is not valid",
    { errors },
  );
}
