import { z } from "zod";

/** What a prefix may be made of. */
export const PREFIX_FIELDS = ["id", "tenant", "date", "year", "month", "day"] as const;
const TEMPLATE = new RegExp(`^(?:[\\w./-]|\\{(?:${PREFIX_FIELDS.join("|")})\\})*$`);

/** Buckets of the operator's choice by name; a request picks one with `destination`. */
export const DestinationsConfig = z.record(
  z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "lower-case letters, digits and - only"),
  z.strictObject({
    endpoint: z.url({ protocol: /^https?$/ }),
    public_endpoint: z.url({ protocol: /^https?$/ }).optional(),
    bucket: z.string().min(3),
    region: z.string().default("auto"),
    access_key_id: z.string().min(1),
    secret_access_key: z.string().min(1),
    /** Where in the bucket, e.g. `clips/{tenant}/{date}/{id}`. */
    prefix: z
      .string()
      .max(128)
      .regex(TEMPLATE, `letters, digits, . _ - / and {${PREFIX_FIELDS.join("}, {")}}`)
      .default("{id}"),
  }),
);
export type DestinationsConfig = z.infer<typeof DestinationsConfig>;
