import { ApiError } from "../../errors/table.ts";
import { TASKS, type Task } from "./v5-input/contract.ts";

/** The task of an input that may name it; else what its fields suggest. */
export function taskOf(input: unknown): Task {
  const fields: Record<string, unknown> = typeof input === "object" && input !== null ? { ...input } : {};
  const given = fields.task_type;
  if (given !== undefined && given !== null && given !== "") {
    const task = TASKS.find((one) => one === given);
    if (task === undefined)
      throw new ApiError("validation_failed", `task_type: one of ${TASKS.join(", ")}`, {
        errors: [{ detail: `one of ${TASKS.join(", ")}`, pointer: "#/task_type" }],
      });
    return task;
  }
  const filled = (name: string) => typeof fields[name] === "string" && fields[name].trim() !== "";
  if (!filled("dialogue_text")) return "animation";
  return filled("prompt") ? "combined" : "tts";
}
