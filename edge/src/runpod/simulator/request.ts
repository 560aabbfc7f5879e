import type { JobRequest } from "./queue.ts";

type Parsed = { job: JobRequest } | { problem: string; status: 400 };

/** Reads a job body. The Python client's `run({"input": …})` wraps twice; one level is taken off. */
export async function jobRequest(request: Request, limitBytes: number): Promise<Parsed> {
  const text = await request.text();
  if (text.length > limitBytes) return { problem: `body over ${limitBytes} bytes`, status: 400 };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { problem: "the body is not JSON", status: 400 };
  }
  if (!isRecord(body) || body.input === undefined) return { problem: "input: required", status: 400 };
  const policy = isRecord(body.policy) ? body.policy : {};
  const inner = body.input;
  return {
    job: {
      input: isRecord(inner) && Object.keys(inner).join() === "input" ? inner.input : inner,
      s3Config: isRecord(body.s3Config) ? body.s3Config : undefined,
      webhook: typeof body.webhook === "string" ? body.webhook : undefined,
      policy: {
        executionTimeout: numberOf(policy.executionTimeout),
        ttl: numberOf(policy.ttl),
        lowPriority: policy.lowPriority === true,
      },
    },
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;
}
