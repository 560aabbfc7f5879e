/** Platforms that the edge is compiled for: the name of its file, and the runtime that goes into it. */
export const TARGETS = {
  "linux-x64": "bun-linux-x64-baseline",
  "linux-arm64": "bun-linux-arm64",
  "linux-x64-musl": "bun-linux-x64-baseline-musl",
  "darwin-x64": "bun-darwin-x64",
  "darwin-arm64": "bun-darwin-arm64",
  "windows-x64": "bun-windows-x64-baseline",
} as const;
export type Target = keyof typeof TARGETS;

export const isTarget = (name: string): name is Target => Object.hasOwn(TARGETS, name);

/** The one that runs here, where there is one. */
export function ownTarget(): Target | undefined {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const name = `${system}-${process.arch}`;
  return isTarget(name) ? name : undefined;
}

export const fileOf = (target: Target): string =>
  `cartoon-edge-${target}${target.startsWith("windows") ? ".exe" : ""}`;
