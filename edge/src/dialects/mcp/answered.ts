import { z } from "zod";
import type { Principal } from "../../auth/principal.ts";
import { toApiError } from "../../errors/problem.ts";

export interface Caller {
  principal: Principal | undefined;
  origin: string;
  requestId: string;
}

const MAX_WAIT_SECONDS = 50;

export const waitSeconds = z.number().min(0).max(MAX_WAIT_SECONDS).optional();

/** A tool's answer as text; what the caller did wrong is told to the model, so that it can do better. */
export function answered<Input>(
  caller: Caller,
  schema: z.ZodType<Input>,
  tool: (input: Input) => Promise<unknown>,
) {
  // The SDK has validated the input; parsing it again gives it its type on every runtime's type checker.
  return async (input: unknown) => {
    try {
      const answer = await tool(schema.parse(input));
      return { content: [{ type: "text" as const, text: JSON.stringify(answer, null, 2) }] };
    } catch (thrown) {
      const { message, code } = toApiError(thrown, caller.requestId);
      return { isError: true, content: [{ type: "text" as const, text: `${code}: ${message}` }] };
    }
  };
}
