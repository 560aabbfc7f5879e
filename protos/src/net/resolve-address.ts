import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

const DNS = "dns:";

/** `dns:host:port` as one address for each record of the name, as a headless Kubernetes service has them. */
export async function resolveAddress(address: string): Promise<string[]> {
  if (!address.startsWith(DNS)) return [address];
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address.slice(DNS.length)) ?? [];
  const found = await lookup(host.replace(/^\[|\]$/g, ""), { all: true });
  return found.map((entry) =>
    isIP(entry.address) === 6 ? `[${entry.address}]:${port}` : `${entry.address}:${port}`,
  );
}
