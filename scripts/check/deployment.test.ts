import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob, YAML } from "bun";
import { sbom } from "../compile/sbom.ts";
import { root } from "../lib/root.ts";

const text = (file: string) => readFileSync(join(root, file), "utf8");
const find = (pattern: string) => [...new Glob(pattern).scanSync({ cwd: root, dot: true })].sort();

const DOCKERFILES = ["Dockerfile.gpu", "deploy/edge/Dockerfile"];
const WORKFLOWS = find(".github/workflows/*.yml");
const MANIFESTS = find("deploy/kubernetes/**/*.yaml");

describe("what is fetched is named by its hash", () => {
  test("base images", () => {
    for (const file of DOCKERFILES) {
      const defaults = new Map(
        [...text(file).matchAll(/^ARG (\w+)=(\S+)$/gm)].map(([, name = "", value = ""]) => [name, value]),
      );
      const stages = new Set([...text(file).matchAll(/^FROM \S+ AS (\w+)$/gm)].map(([, name]) => name));
      for (const [, from = ""] of text(file).matchAll(/^FROM (\S+)/gm)) {
        if (stages.has(from)) continue;
        const image = defaults.get(/^\$\{(\w+)\}$/.exec(from)?.[1] ?? "") ?? from;
        expect(image, `${file}: ${from}`).toMatch(/@sha256:[0-9a-f]{64}$/);
      }
    }
  });

  test("images of compose and of workflows", () => {
    for (const file of ["compose.yaml", ...WORKFLOWS])
      for (const [, image = ""] of text(file).matchAll(/^\s+(?:image|ACTIONLINT): (\S+)$/gm))
        if (!image.startsWith("ghcr.io/")) expect(image, file).toMatch(/:[\w.-]+@sha256:[0-9a-f]{64}$/);
  });

  test("actions, by the commit", () => {
    const used = WORKFLOWS.flatMap((file) => [...text(file).matchAll(/uses: (\S+)(.*)$/gm)]);
    expect(used.length).toBeGreaterThan(5);
    for (const [, action = "", comment = ""] of used) {
      expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
      expect(comment).toMatch(/^ # v\d+\.\d+\.\d+$/);
    }
  });

  test("Bun is the same version everywhere", () => {
    const version = JSON.parse(text("package.json")).devDependencies["@types/bun"];
    for (const file of [...DOCKERFILES, ...WORKFLOWS, ".ci/run", "README.md"])
      for (const [, found] of text(file).matchAll(/(?:\bbun|\$\{name\})@(\d+\.\d+\.\d+)/g))
        expect(found, file).toBe(version);
  });
});

interface Resource {
  apiVersion: string;
  kind: string;
  [field: string]: unknown;
}

function resources(file: string): Resource[] {
  const parsed = YAML.parse(text(file)) as Resource | Resource[];
  return Array.isArray(parsed) ? parsed : [parsed];
}

test("Kubernetes manifests fit the published schemas", async () => {
  const kinds = new Set<string>();
  for (const file of MANIFESTS)
    for (const resource of resources(file)) {
      if (resource.kind === "Kustomization") continue;
      kinds.add(resource.kind);
      const models = resource.apiVersion.startsWith("keda.sh/")
        ? "@kubernetes-models/keda"
        : "kubernetes-models";
      const { [resource.kind]: Model } = await import(`${models}/${resource.apiVersion}`);
      expect(() => new Model(resource).validate(), `${file}: ${resource.kind}`).not.toThrow();
    }
  const wanted =
    "Deployment HorizontalPodAutoscaler StatefulSet PodDisruptionBudget NetworkPolicy ScaledObject";
  for (const kind of wanted.split(" ")) expect(kinds).toContain(kind);
});

test("kustomizations name what is there, and nothing above their own folder but folders", () => {
  const files = MANIFESTS.filter((file) => file.endsWith("kustomization.yaml"));
  expect(files.length).toBeGreaterThan(3);
  for (const file of files)
    for (const resource of (resources(file)[0]?.resources ?? []) as string[]) {
      const path = join(root, dirname(file), resource);
      expect(existsSync(path), `${file}: ${resource}`).toBe(true);
      if (statSync(path).isDirectory()) expect(existsSync(join(path, "kustomization.yaml"))).toBe(true);
      else expect(resource, file).not.toContain("..");
    }
});

test("compose has the services of the brief, and profiles for both kinds of machine", () => {
  const { services } = YAML.parse(text("compose.yaml")) as {
    services: Record<string, { profiles: string[] }>;
  };
  for (const name of ["cartoon-web", "cartoon-api", "cartoon-node", "postgres", "store"])
    expect(Object.keys(services)).toContain(name);
  expect(new Set(Object.values(services).flatMap(({ profiles }) => profiles))).toEqual(
    new Set(["cpu", "gpu"]),
  );
});

test("the SBOM names every package of the lock file with its hash", async () => {
  const { components } = await sbom();
  const names = components.map(({ name }) => name);
  expect(names).toContain("hono");
  expect(components.length).toBeGreaterThan(300);
  for (const { purl, hashes } of components) {
    expect(purl).toMatch(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+/);
    expect(hashes).toEqual([{ alg: "SHA-512", content: expect.stringMatching(/^[0-9a-f]{128}$/) }]);
  }
});

// Linters that come as Python packages; `.ci/run` installs them.
const python = process.env.CARTOON_TEST_PYTHON;
if (python === undefined)
  console.log("CARTOON_TEST_PYTHON is not set: no published schema and no hadolint is asked");
else {
  const tool = (name: string, ...args: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([join(dirname(python), name), ...args], { cwd: root });
    return { exitCode, output: stdout.toString() + stderr.toString() };
  };

  test("compose and workflows fit the published schemas", () => {
    const schema = (name: string, ...files: string[]) =>
      tool("check-jsonschema", "--builtin-schema", `vendor.${name}`, ...files);
    expect(schema("compose-spec", "compose.yaml")).toMatchObject({ exitCode: 0 });
    expect(schema("github-workflows", ...WORKFLOWS)).toMatchObject({ exitCode: 0 });
    expect(schema("compose-spec", "deploy/kubernetes/keda.yaml").exitCode).not.toBe(0);
  });

  test("hadolint has nothing to say about the Dockerfiles", () => {
    expect(tool("hadolint", ...DOCKERFILES)).toEqual({ exitCode: 0, output: "" });
  });
}
