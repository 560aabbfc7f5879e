import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, openDatabase } from "@cartoon/db";
import { findPostgres, type PostgresServer, startPostgres } from "@cartoon/db/test/postgres-server";
import { createNodeToken } from "@cartoon/edge/nodes/token";
import { writeTinyPack } from "@cartoon/gpu-pool/pipelines/animatediff/testing/tiny-pack";
import { z } from "zod";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";
import { type Target, ToxicProxy } from "./toxic-proxy.ts";
import { Victim } from "./victim.ts";

export interface WorldOptions {
  edges: number;
  nodes: number;
  database: "sqlite" | "postgres";
  leaseSeconds: number;
  /** The nodes open no port and dial the edges, as those behind NAT do. */
  attached: boolean;
  /** Keep logs and data for a look afterwards. */
  keep: boolean;
}

const DISK_MEGABYTES = 96;
const START_MS = 60_000;
const Health = z.object({ nodes: z.array(z.object({ health: z.string(), version: z.string().optional() })) });
const SECRET = "chaos-chaos-chaos-chaos-chaos-chaos";

/** Edges, nodes, database, and the network between them: real processes on loopback. */
export class World {
  readonly folder: string;
  readonly options: WorldOptions;
  readonly edges: Victim[] = [];
  readonly nodes: Victim[] = [];
  /** Between one edge and one node each, whichever of them dials. */
  readonly links: ToxicProxy[] = [];
  #balancer: ToxicProxy | undefined;
  #database: Database | undefined;
  /** Between the edges and Postgres. */
  databaseLink: ToxicProxy | undefined;
  postgres: PostgresServer | undefined;
  disk: SmallDisk | undefined;

  private constructor(options: WorldOptions) {
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), "cartoon-chaos-"));
  }

  /** In front of all edges, for clients and for the nodes' uploads. */
  get balancer(): ToxicProxy {
    return started(this.#balancer);
  }
  /** The database without any proxy between. */
  get database(): Database {
    return started(this.#database);
  }
  get url(): string {
    return `http://127.0.0.1:${this.balancer.port}`;
  }
  get proxies(): ToxicProxy[] {
    return [...this.links, this.balancer, ...(this.databaseLink ? [this.databaseLink] : [])];
  }

  static async start(options: WorldOptions): Promise<World> {
    const world = new World(options);
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const data = join(this.folder, "data");
    mkdirSync(join(this.folder, "logs"), { recursive: true });
    this.disk = mountSmallDisk(data, DISK_MEGABYTES);
    const { direct, proxied } = await this.#openDatabase(data);
    this.#database = await openDatabase(direct, { secretKey: SECRET });
    await this.#makeNodes();
    await this.#makeEdges(data, proxied);
    for (const victim of [...this.nodes, ...this.edges]) victim.start();
    await this.#ready();
  }

  async #openDatabase(data: string): Promise<{ direct: string; proxied: string }> {
    if (this.options.database === "sqlite") {
      const url = `sqlite:${join(data, "cartoon.db")}`;
      return { direct: url, proxied: url };
    }
    const bin = findPostgres();
    if (!bin) throw new Error("There is no Postgres here: set POSTGRES_BIN to the folder of initdb.");
    this.postgres = await startPostgres(bin);
    const direct = await this.postgres.createDatabase();
    const url = new URL(direct);
    const port = Number(url.port);
    this.databaseLink = await ToxicProxy.start([() => port]);
    url.port = String(this.databaseLink.port);
    return { direct, proxied: url.href };
  }

  async #makeNodes(): Promise<void> {
    const packs = join(this.folder, "packs");
    mkdirSync(packs);
    const written = await writeTinyPack();
    try {
      renameSync(written, join(packs, "tiny"));
    } catch {
      cpSync(written, join(packs, "tiny"), { recursive: true });
      rmSync(written, { recursive: true });
    }
    for (let i = 0; i < this.options.nodes; i++) {
      const name = `node-${i + 1}`;
      const way = this.options.attached ? await this.#dialling(name) : { CARTOON_NODE_LISTEN: "127.0.0.1:0" };
      this.nodes.push(
        this.#victim(name, ["gpu-pool/src/main.ts"], {
          CARTOON_NODE_ID: name,
          ...way,
          CARTOON_PACK_DIRS: packs,
          CARTOON_PACK: "tiny",
          CARTOON_THREADS: "1",
          CARTOON_WORK_DIR: join(this.folder, `work-${i + 1}`),
          CARTOON_CACHE_DIR: join(this.folder, `cache-${i + 1}`),
        }),
      );
    }
  }

  async #dialling(name: string): Promise<Record<string, string>> {
    const ports = this.#eachEdge((edge) => edge?.ports?.attachPort);
    const links = await Promise.all(ports.map((port) => ToxicProxy.start([port])));
    this.links.push(...links);
    return {
      CARTOON_NODE_LISTEN: "none",
      CARTOON_EDGES: links.map((link) => `127.0.0.1:${link.port}`).join(","),
      CARTOON_REGISTER_TOKEN: createNodeToken(SECRET, name, Math.floor(Date.now() / 1000) + 86_400),
    };
  }

  /** A port of each edge, known once it runs: the proxies in front of the edges come first. */
  #eachEdge(port: (edge: Victim | undefined) => number | undefined): Target[] {
    return Array.from({ length: this.options.edges }, (_, i) => () => port(this.edges[i]));
  }

  async #makeEdges(data: string, databaseUrl: string): Promise<void> {
    this.#balancer = await ToxicProxy.start(this.#eachEdge((edge) => edge?.ports?.port));
    for (let i = 0; i < this.options.edges; i++) {
      const dialled = this.options.attached ? [] : this.nodes;
      const links = await Promise.all(dialled.map((node) => ToxicProxy.start([() => node.ports?.port])));
      this.links.push(...links);
      const addresses = links.map((link) => `127.0.0.1:${link.port}`);
      this.edges.push(
        this.#victim(`edge-${i + 1}`, ["edge/src/entries/bun.ts"], {
          HOST: "127.0.0.1",
          PORT: "0",
          CARTOON_ENV: "production",
          CARTOON_DATA_DIR: data,
          DATABASE_URL: databaseUrl,
          CARTOON_URL_SECRET: SECRET,
          CARTOON_INTERNAL_URL: this.url,
          CARTOON_PUBLIC_URL: this.url,
          CARTOON_NODES: addresses.join(",") || "none",
          ...(this.options.attached ? { CARTOON_ATTACH_PORT: "0" } : {}),
          CARTOON_NODE_REST_SECONDS: "1",
          CARTOON_LEASE_SECONDS: String(this.options.leaseSeconds),
        }),
      );
    }
  }

  #victim(name: string, args: string[], env: Record<string, string>): Victim {
    return new Victim({ name, args, env, logFile: join(this.folder, "logs", `${name}.log`) });
  }

  /** Everything runs, thaws, flows and has room again. */
  async heal(): Promise<void> {
    this.disk?.free();
    for (const proxy of this.proxies) proxy.heal();
    for (const victim of [...this.nodes, ...this.edges]) {
      victim.thaw();
      victim.start();
    }
    await this.#ready();
  }

  /** Waits until an edge answers and sees a node that can work. */
  async #ready(): Promise<void> {
    const until = Date.now() + START_MS;
    while (Date.now() < until) {
      const response = await fetch(`${this.url}/health`).catch(() => undefined);
      const health = response && Health.safeParse(await response.json().catch(() => undefined));
      if (health?.data?.nodes.some((node) => node.health === "ready" && node.version)) return;
      await Bun.sleep(100);
    }
    throw new Error(`no node was ready within ${START_MS / 1000} s`);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.edges, ...this.nodes].map((victim) => victim.stop()));
    for (const proxy of [...this.links, this.#balancer, this.databaseLink]) proxy?.stop();
    await this.#database?.close().catch(() => {});
    await this.postgres?.stop();
    this.disk?.unmount();
    if (!this.options.keep) rmSync(this.folder, { recursive: true, force: true });
  }
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error("the world has not started");
  return part;
}
