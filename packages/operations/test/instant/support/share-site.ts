import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import type { DiskSource, RecoveryPoint } from "@ovault/contract";
import { Redactor, Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { Installation } from "@ovault/operations";
import { keysOf, type ModelDisk, sourceOf } from "@ovault/testkit";
import { freePort } from "@ovault/test-support/free-port";
import type { NetworkNamespace } from "@ovault/test-support/network-namespace";
import { type Handle, NfsClient } from "@ovault/test-support/nfs-client";
import { never, takePoint } from "@ovault/test-support/repository/take-point";
import { until } from "@ovault/test-support/until";

import { exportPath } from "../../../src/instant/point-share.ts";
import { removeShare } from "../../../src/instant/remove-share.ts";
import { newFileSystemId, type ShareDescription } from "../../../src/instant/share-description.ts";
import { ShareDirectory } from "../../../src/instant/share-directory.ts";

const SCRIPT = fileURLToPath(new URL("serve-share.ts", import.meta.url));
export const BLOCK_BYTES = 256 * 1024;
export const NAME = "web01";
/** Of the raw and of the cow disk. */
export const PATHS = ["domain/images/image-0/volume-0", "domain/images/image-1/volume-1"] as const;

/** Data and zeros in turn, and an end that is no whole block. */
export function diskOf(seed: number, blocks: number): ModelDisk {
  const length = blocks * BLOCK_BYTES + 512;
  const bytes = Uint8Array.from({ length }, (_, at) =>
    Math.floor(at / BLOCK_BYTES) % 3 === 1 ? 0 : 1 + ((Math.imul((at >> 4) + seed, 0x9e37_79b1) >>> 13) & 0x7f),
  );
  return { bytes, extents: [{ offset: 0, length, kind: "data" }] };
}

const silent = { note: () => undefined, warn: () => undefined };

export interface ShareSiteOptions {
  readonly network?: NetworkNamespace;
  readonly disks?: readonly ModelDisk[];
}

/** A point in a repository in a directory, and a share of its disks that a process of its own serves. */
export class ShareSite implements AsyncDisposable {
  readonly directory: string;
  readonly disks: readonly ModelDisk[];
  readonly share: ShareDirectory;
  readonly #network: NetworkNamespace | undefined;
  #point: RecoveryPoint | undefined;
  #port = 0;
  #process: ChildProcess | undefined;
  #stderr = "";
  #lines: string[] = [];

  static async make({ network, disks = [diskOf(1, 40), diskOf(2, 7)] }: ShareSiteOptions = {}): Promise<ShareSite> {
    const site = new ShareSite(await mkdtemp(join(tmpdir(), "ovault-share-")), disks, network);
    await site.#prepare();
    return site;
  }

  private constructor(directory: string, disks: readonly ModelDisk[], network: NetworkNamespace | undefined) {
    this.directory = directory;
    this.disks = disks;
    this.share = new ShareDirectory(join(directory, "ovault-state"), NAME);
    this.#network = network;
  }

  get point(): RecoveryPoint {
    if (this.#point === undefined) throw new Error("there is no point");
    return this.#point;
  }

  get port(): number {
    return this.#port;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get stage(): string {
    return join(this.share.tree, "stage");
  }

  get nas(): string {
    return join(this.directory, "nas");
  }

  raw(disk: number): string {
    return join(this.directory, `${disk}.raw`);
  }

  async #prepare(): Promise<void> {
    await createFilesystemDestination(this.nas);
    for (const [at, { bytes }] of this.disks.entries()) await writeFile(this.raw(at), bytes);
    const yaml = "destinations:\n  nas: { type: filesystem, directory: nas }\ndefaults: { destination: nas }\n";
    await writeFile(join(this.directory, "ovault.yaml"), yaml);
    await Repository.create(await FilesystemStore.open(this.nas), { blockBytes: BLOCK_BYTES, signal: never });
    const repository = await this.repository();
    this.#point = await takePoint(repository, this.#sources());
    await repository.close();
    this.#port = this.#network === undefined ? await freePort() : 2049;
    await this.share.make(this.describe({}));
  }

  #sources(): readonly DiskSource[] {
    return this.disks.map((disk, index) => {
      const source = sourceOf(disk, { id: `disk-${index}` });
      return { ...source, disk: { ...source.disk, alias: `web01_Disk${index}`, index } };
    });
  }

  describe(change: Partial<ShareDescription>): ShareDescription {
    const formats = ["raw", "cow"] as const;
    return {
      version: 1,
      fileSystemId: newFileSystemId(),
      port: this.#port,
      ...(this.#network !== undefined && { portmapPort: 111 }),
      host: "127.0.0.1",
      allow: ["127.0.0.1"],
      points: [
        {
          point: this.point.id,
          hold: randomUUID(),
          disks: this.disks.map((_, at) => ({
            disk: `disk-${at}`,
            // QEMU mounts the directory that a file is in.
            path: this.#network === undefined ? `domain/images/image-${at}/volume-${at}` : `volume-${at}`,
            format: formats[at % 2] ?? "raw",
          })),
        },
      ],
      ...change,
    };
  }

  async repository(): Promise<Repository> {
    return await Repository.open(await FilesystemStore.open(this.nas), { signal: never });
  }

  /** Waits until it prints this. */
  async start(line: "listening" | "ready" = "ready"): Promise<void> {
    this.spawn();
    await this.printed(line);
  }

  spawn(): void {
    const args = [SCRIPT, join(this.directory, "ovault.yaml"), NAME];
    const [program, ...others] = this.#network?.command(process.execPath, args) ?? [process.execPath, ...args];
    const env = { ...process.env, UV_THREADPOOL_SIZE: "16" };
    const child = spawn(program, others, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    this.#lines = [];
    this.#stderr = "";
    child.stderr.on("data", (text) => (this.#stderr += String(text)));
    createInterface({ input: child.stdout }).on("line", (line) => this.#lines.push(line));
  }

  async printed(line: string): Promise<void> {
    await until(`the share prints ${line}`, () => {
      const ended = this.#process?.exitCode ?? this.#process?.signalCode ?? null;
      if (ended !== null) throw new Error(`the share ended: ${this.#stderr}`);
      return this.#lines.includes(line);
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#lines = [];
    this.#process?.kill(name);
  }

  /** Resolves to the exit code. */
  async end(name: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill(name);
    const [code] = (await once(child, "exit")) as [number | null];
    return code;
  }

  async connect(): Promise<MountedShare> {
    return await MountedShare.connect(this.#port);
  }

  /** As `ovault instant stop` does at its end. */
  async remove(): Promise<void> {
    const options = { debug: false, redactor: new Redactor(), reporter: silent, signal: never };
    await using installation = await Installation.open({
      configFile: join(this.directory, "ovault.yaml"),
      ...options,
    });
    await removeShare(installation, NAME, { signal: never });
  }

  /** What the repository holds, without leases. */
  async listing(): Promise<readonly string[]> {
    const found: string[] = [];
    const store = await FilesystemStore.open(this.nas);
    for await (const { key, bytes } of store.list("", { signal: never })) found.push(`${key} ${bytes}`);
    return found.filter((line) => !line.startsWith("leases/"));
  }

  async holds(): Promise<readonly string[]> {
    const keys = await keysOf(await FilesystemStore.open(this.nas), "leases/");
    return keys.filter((key) => key.startsWith("leases/hold-"));
  }

  async placing(): Promise<readonly string[]> {
    return await readdir(join(this.share.tree, "placing"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A client that has mounted the share. */
export class MountedShare implements AsyncDisposable {
  readonly client: NfsClient;
  readonly root: Handle;

  static async connect(port: number): Promise<MountedShare> {
    const client = await NfsClient.connect(port);
    const root = await client.mount(exportPath(NAME));
    if (typeof root === "number") throw new Error(`mount: ${root}`);
    return new MountedShare(client, root);
  }

  private constructor(client: NfsClient, root: Handle) {
    this.client = client;
    this.root = root;
  }

  async find(path: string): Promise<Handle> {
    let handle = this.root;
    for (const name of path.split("/")) {
      const found = await this.client.lookup(handle, name);
      if (typeof found === "number") throw new Error(`${path}: ${found}`);
      handle = found;
    }
    return handle;
  }

  async content(handle: Handle): Promise<Buffer> {
    const size = Number(await this.client.size(handle));
    const parts: Buffer[] = [];
    for (let at = 0; at < size; at += BLOCK_BYTES) {
      const part = await this.client.read(handle, BigInt(at), Math.min(BLOCK_BYTES, size - at));
      if (typeof part === "number") throw new Error(`read at ${at}: ${part}`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}
