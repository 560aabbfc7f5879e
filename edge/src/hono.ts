import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Principal } from "./auth/principal.ts";
import { validationError } from "./errors/from-zod.ts";

/** What the runtime's entry passes with each request. */
export interface Platform {
  remoteAddress?: string;
  /** Lifts the runtime's idle timeout for this request; long polls and event streams need it. */
  holdOpen?: () => void;
}

export interface AppEnv {
  Bindings: Platform;
  Variables: {
    requestId: string;
    principal: Principal | undefined;
    /** Origin of this service as the client sees it. */
    origin: string;
  };
}

export type App = OpenAPIHono<AppEnv>;

/** A router whose validation failures become problem documents. */
export function createRouter(): App {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationError(result.error.issues, result.target);
    },
  });
}

export const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    code: z.string(),
    instance: z.string(),
    errors: z
      .array(
        z.object({ detail: z.string(), pointer: z.string().optional(), parameter: z.string().optional() }),
      )
      .optional(),
  })
  .openapi("Problem");

/**
 * A schema that routes check in one go. They ask for the asynchronous way, which lacks zod's generated code; a schema
 * that has to wait for something can't be checked like this and throws.
 */
export function inOneGo<T extends z.ZodType>(schema: T): T {
  schema.safeParseAsync = async (value, params) => schema.safeParse(value, params);
  return schema;
}

/** A JSON response of an OpenAPI route. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

/** The problem response that any route may give. */
export const problems = {
  default: {
    description: "A problem (RFC 9457)",
    content: { "application/problem+json": { schema: ProblemSchema } },
  },
} as const;
