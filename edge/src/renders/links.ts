import type { Services } from "../services.ts";
import type { LinkOptions } from "./view.ts";

/** How results are linked in an answer to a client that came by `origin`. */
export const linksFor = (services: Services, origin: string): LinkOptions => ({
  store: services.store,
  origin,
  expiresInSeconds: services.config.urlTtlSeconds,
});
