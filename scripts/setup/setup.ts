// Makes a fresh clone ready to run. Uses nothing but the runtime: when it starts, no package may be there yet.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const stamp = join(root, "node_modules", ".cartoon-setup");

/** Changes whenever the installed packages would. */
function wanted(): string {
  const hash = createHash("sha256");
  for (const file of ["bun.lock", "package.json", ...WORKSPACES.map((name) => join(name, "package.json"))]) {
    hash.update(readFileSync(join(root, file)));
  }
  return `${hash.digest("hex")} ${process.platform}-${process.arch}\n`;
}

const WORKSPACES = ["protos", "db", "edge", "gpu-pool", "scripts"];

function writable(folder: string | undefined): boolean {
  if (!folder) return false;
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function install(): void {
  console.error("Installing packages (once) …");
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // The CPU library is inside the package; its install script would only fetch GPU libraries.
    ONNXRUNTIME_NODE_INSTALL: "skip",
  };
  if (!writable(env.HOME)) {
    // Without a home folder the package cache needs another place.
    env.BUN_INSTALL_CACHE_DIR = join(root, "node_modules", ".bun-cache");
    mkdirSync(env.BUN_INSTALL_CACHE_DIR, { recursive: true });
  }
  // Install scripts fetch binaries from elsewhere or want tools that may not be there; nothing here needs them.
  const { status, error } = spawnSync(
    process.execPath,
    ["install", "--frozen-lockfile", "--ignore-scripts"],
    {
      cwd: root,
      env,
      stdio: ["ignore", process.stderr.fd, process.stderr.fd],
    },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`bun install ended with ${status}; is the package registry reachable?`);
}

/** Packages with programs for this machine that should be there and are not: their download may fail silently. */
function missingBinaries(): string[] {
  const lock = readFileSync(join(root, "bun.lock"), "utf8");
  const entries = lock.matchAll(/^ {4}"([^"]+)": \["\1@[^"]*", "", \{.*"os": "(\w+)", "cpu": "(\w+)"(.*)$/gm);
  const mine = [...entries].filter(
    ([, , os, cpu, rest]) => os === process.platform && cpu === process.arch && !rest?.includes('"musl"'),
  );
  return mine.flatMap(([, name = ""]) => (existsSync(join(root, "node_modules", name)) ? [] : [name]));
}

try {
  const want = wanted();
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== want) {
    install();
    if (missingBinaries().length > 0) install();
    const missing = missingBinaries();
    if (missing.length > 0)
      console.error(`not installed, though this machine could use them: ${missing.join(", ")}`);
    else writeFileSync(stamp, want);
  }
} catch (error) {
  console.error(`setup failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
