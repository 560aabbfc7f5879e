import type { PackManifest } from "@cartoon/protos";
import type { Services } from "../services.ts";
import { withCharacters } from "./catalog.ts";

/**
 * A pack as a tenant sees it: its own characters, then those that the tenant has registered.
 * @param name empty for the default pack
 * @throws ApiError `no_nodes`, `validation_failed`
 */
export async function packOf(services: Services, tenant: string, name = ""): Promise<PackManifest> {
  return withCharacters(services.catalog.pack(name), await services.characters.of(tenant));
}
