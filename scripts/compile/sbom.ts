// `bun scripts/compile/sbom.ts`: the packages of the lock file as a CycloneDX 1.6 document.
import packageJson from "../../package.json" with { type: "json" };
import { root } from "../lib/root.ts";

/** `name@version`, registry, what it needs, integrity; the others are packages of this repository. */
type Locked = [string, ...unknown[]];

export interface Sbom {
  bomFormat: "CycloneDX";
  specVersion: "1.6";
  version: 1;
  metadata: object;
  components: { type: "library"; name: string; version: string; purl: string; hashes: object[] }[];
}

function component([locked, ...rest]: Locked): Sbom["components"][number] | undefined {
  const integrity = rest.at(-1);
  if (typeof integrity !== "string" || !integrity.startsWith("sha512-")) return undefined;
  const at = locked.lastIndexOf("@");
  const [name, version] = [locked.slice(0, at), locked.slice(at + 1)];
  const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
  return {
    type: "library",
    name,
    version,
    // A scope's @ is escaped (package-url, npm).
    purl: `pkg:npm/${name.replace(/^@/, "%40")}@${version}`,
    hashes: [{ alg: "SHA-512", content }],
  };
}

/** Every package that the lock file names, once. */
export async function sbom(): Promise<Sbom> {
  const { default: lock } = await import(`${root}bun.lock`, { with: { type: "jsonc" } });
  const locked = Object.values(lock.packages as Record<string, Locked>);
  const components = locked.flatMap((one) => component(one) ?? []);
  const unique = new Map(components.map((one) => [one.purl, one]));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "application", name: packageJson.name, version: packageJson.version },
    },
    components: [...unique.values()].sort((a, b) => a.purl.localeCompare(b.purl, "en")),
  };
}

if (import.meta.main) console.log(JSON.stringify(await sbom(), null, 2));
