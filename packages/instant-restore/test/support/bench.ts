import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { createRunHooks, type RunContext } from "@ovault/contract";
import { LocalFileSystem, NfsServer } from "@ovault/nfs";
import type { OvirtManager } from "@ovault/ovirt";
import { ImageTransferStrategy } from "@ovault/strategy-image-transfer";
import { optionsSchema } from "@ovault/strategy-image-transfer/internal/options";
import { LabBench, LabSite, WEB_DISKS, never, restoreRequest, type Taken } from "@ovault/testkit-ovirt";

import {
  INSTANT_RESTORE,
  instantLeftovers,
  instantMachineSchema,
  restoreInstantly,
  type InstantMachine,
  type InstantWish,
  type PlannedVolume,
  type Share,
} from "../../src/index.ts";

export { never };

const run = promisify(execFile);

/** A lab with the machine `web`, a point of it, and a share that is a directory with files. */
export class Bench {
  readonly bench: LabBench;
  readonly taken: Taken;
  readonly directory: string;
  /** What was kept last. */
  kept: InstantMachine | undefined;
  /** What the backup keeps on the engine. */
  readonly #before: readonly string[];
  #server: NfsServer;
  readonly #files: LocalFileSystem;

  static async open(): Promise<Bench> {
    // A host of the lab gives up on a mount after 100 steps.
    const site = await LabSite.open({ machines: [{ name: "web", disks: WEB_DISKS }], delayMs: 20 });
    const bench = new LabBench(site, new ImageTransferStrategy(site.manager, optionsSchema.parse({})));
    const taken = await bench.backup();
    const directory = await mkdtemp(join(tmpdir(), "ovault-instant-"));
    await chmod(directory, 0o755);
    const files = await LocalFileSystem.open(directory, { owner: { uid: 36, gid: 36 } });
    return new Bench({
      bench,
      taken,
      directory,
      files,
      server: await serve(files, 0),
      before: await bench.left("web"),
    });
  }

  private constructor(parts: {
    readonly bench: LabBench;
    readonly taken: Taken;
    readonly directory: string;
    readonly files: LocalFileSystem;
    readonly server: NfsServer;
    readonly before: readonly string[];
  }) {
    this.#before = parts.before;
    this.bench = parts.bench;
    this.taken = parts.taken;
    this.directory = parts.directory;
    this.#files = parts.files;
    this.#server = parts.server;
  }

  async close(): Promise<void> {
    await this.bench.close();
    await this.#server.close();
    await this.#files[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true });
  }

  async stopShare(): Promise<void> {
    await this.#server.close();
  }

  async startShare(): Promise<void> {
    this.#server = await serve(this.#files, this.#server.port);
  }

  /** An empty share again. */
  async emptyShare(): Promise<void> {
    for (const name of (await run("ls", ["-A", this.directory])).stdout.split("\n").filter(Boolean)) {
      await rm(join(this.directory, name), { recursive: true });
    }
  }

  get share(): Share {
    return { address: "127.0.0.1", port: this.#server.port, path: "/points" };
  }

  wish(name: string, changes: Partial<InstantWish> = {}): InstantWish {
    return {
      share: this.share,
      name: `ovault-${name}`,
      putVolumes: async (volumes) => {
        for (const volume of volumes) await this.#put(volume);
      },
      // As from a file.
      keep: async (machine) => void (this.kept = instantMachineSchema.parse(JSON.parse(JSON.stringify(machine)))),
      ...changes,
    };
  }

  /** Restores `web` as a machine with this name, started. */
  restore(
    name: string,
    {
      manager = this.bench.manager,
      wish = {},
      context,
    }: { manager?: OvirtManager; wish?: Partial<InstantWish>; context: RunContext },
  ): Promise<InstantMachine> {
    const request = { ...restoreRequest(this.taken, name), start: true };
    return restoreInstantly(manager, request, this.wish(name, wish), context);
  }

  /** Runs something with a ledger of its own. */
  async inRun<T>(work: (context: RunContext) => Promise<T>, signal: AbortSignal = never): Promise<T> {
    const runId = randomUUID();
    const { ledger, manager } = this.bench;
    const own = await ledger.forRun({ runId, manager: manager.name, strategy: INSTANT_RESTORE });
    try {
      return await work({ runId, ledger: own, hooks: createRunHooks(), signal });
    } finally {
      await own.end();
    }
  }

  /** What dead runs have not removed, by title. */
  async ledger(): Promise<readonly string[]> {
    return (await this.bench.ledger.abandoned()).map(({ title }) => title);
  }

  /** As `doctor --fix`; fails like it. Returns the actions announced. */
  async removeLeftovers(): Promise<readonly string[]> {
    const { ledger, manager } = this.bench;
    const found = await instantLeftovers(manager).leftovers(await ledger.abandoned(), never);
    for (const leftover of found) {
      if (!leftover.gone) await leftover.remove(never);
      await ledger.resolve(leftover.entry);
    }
    return found.map(({ action }) => action);
  }

  /** Everything on the engine and in the ledger that was not there before, but machines with these names. */
  async left(...machines: readonly string[]): Promise<readonly string[]> {
    const domains = this.bench.lab.dataDomains.map(({ name }) => `domain: ${name}`);
    const all = [...(await this.bench.left("web", ...machines)), ...domains];
    return all.filter((one) => !this.#before.includes(one));
  }

  /** Id of the storage domain that comes with the lab. */
  async home(): Promise<string> {
    const all = await this.bench.manager.api.infrastructure.storageDomains(never);
    return all.find(({ name }) => name === "lab-storage")?.id ?? "";
  }

  async #put({ from, directory, path, format, virtualBytes, meta, lease }: PlannedVolume): Promise<void> {
    const file = join(this.directory, path);
    const raw = join(this.directory, `${randomUUID()}.raw`);
    await mkdir(join(this.directory, directory));
    await writeFile(raw, this.taken.images.get(from) ?? Buffer.of());
    await run("truncate", ["-s", String(virtualBytes), raw]);
    await run("qemu-img", ["convert", "-f", "raw", "-O", format === "cow" ? "qcow2" : "raw", raw, file]);
    await rm(raw);
    await writeFile(join(this.directory, lease.path), lease.bytes);
    await writeFile(join(this.directory, meta.path), meta.text);
  }
}

function serve(files: LocalFileSystem, port: number): Promise<NfsServer> {
  return NfsServer.listen({ files, fileSystemId: 7n, path: "/points", allow: ["127.0.0.1"], port });
}
