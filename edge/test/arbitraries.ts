import fc from "fast-check";

/** Cases of one property: 10,000 in the check, fewer where Deno goes over the same code once more. */
export const CASES = Number(process.env.FUZZ_RUNS ?? ("Deno" in globalThis ? 2_000 : 10_000));

/** Values that nobody hopes for. */
const nasty = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom(
    "",
    "[S1]",
    "[S2] Felfel:",
    "[S9] x",
    "\u0000",
    "\ud800",
    "‮abc",
    "💥".repeat(20),
    "../../etc/passwd",
  ),
  fc.double(),
  fc.integer(),
  fc.constantFrom(1e308, -0, Number.MAX_SAFE_INTEGER, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY),
  fc.boolean(),
  fc.constant(null),
);
export const anything = fc.oneof(
  { weight: 4, arbitrary: nasty },
  fc.jsonValue(),
  fc.array(nasty, { maxLength: 4 }),
);
/** Some of these fields, with any values. */
export const fields = (names: readonly string[], value: fc.Arbitrary<unknown> = anything) =>
  fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });

/** A native request that is nearly right. */
export const plausible = fc.record(
  {
    prompt: fc.oneof(fc.constantFrom("temo waves", "felfel and temo"), anything),
    dialogue: fc.oneof(fc.constantFrom("[S1] Hi there", "Temo: Hello!\nFelfel: Hi!"), anything),
    characters: fc.oneof(fc.subarray(["temo", "felfel"]), anything),
    seed: fc.oneof(fc.nat(), anything),
    clip: fc.oneof(
      fields(["width", "height", "num_frames", "fps", "scheduler", "context", "prompt_travel"]),
      anything,
    ),
    speech: fc.oneof(fields(["max_new_tokens", "temperature", "lines", "voices"]), anything),
    output: fc.oneof(fields(["formats", "fit", "captions"]), anything),
    webhook: anything,
    metadata: anything,
    priority: anything,
    [`x${"y".repeat(3)}`]: anything,
  },
  { requiredKeys: [] },
);
