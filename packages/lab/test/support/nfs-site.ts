import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LocalFileSystem, NfsServer, NfsStatusError, type NfsFileSystem } from "@ovault/nfs";

import type { LabOptions } from "../../src/index.ts";
import type { ExportSite } from "./export-site.ts";
import { withLab } from "./lab-fixture.ts";

/** A lab, and an NFS server for its data domains that can be disturbed. */
export interface NfsSite extends ExportSite {
  readonly server: DisturbedServer;
}

export async function withNfsSite(options: Partial<LabOptions>, work: (site: NfsSite) => Promise<void>): Promise<void> {
  await withServer(async (server) => {
    const { storage, directory: staging } = server;
    await withLab(options, (fixture) => work({ ...fixture, server, staging, storage }));
  });
}

/** The server alone. */
export async function withServer(work: (server: DisturbedServer) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-lab-nfs-"));
  await chmod(directory, 0o755); // QEMU enters it, too
  const server = new DisturbedServer(directory);
  try {
    await server.start();
    await work(server);
  } finally {
    await server.stop();
    await rm(directory, { recursive: true });
  }
}

type Mood = "well" | "silent" | "later" | "full";

/** The export `/staging` of a directory, as vdsm's. */
export class DisturbedServer {
  readonly directory: string;
  #port = 0;
  #mood: Mood = "well";
  #change = Promise.withResolvers<void>();
  #server: NfsServer | undefined;
  #files: LocalFileSystem | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  get storage(): string {
    return `<type>nfs</type><address>127.0.0.1</address><mount_options>port=${this.#port},mountport=${this.#port}</mount_options>`;
  }

  /** `silent`: no call is answered. `later`: calls are put off. `full`: no data is written. */
  set mood(mood: Mood) {
    this.#mood = mood;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** At the port of the last start. */
  async start(): Promise<void> {
    const files = await LocalFileSystem.open(this.directory, { owner: { uid: 36, gid: 36 } });
    const place = { fileSystemId: 7n, path: "/staging", allow: ["127.0.0.1"], port: this.#port };
    this.#server = await NfsServer.listen({ ...place, files: this.#disturbed(files) });
    this.#files = files;
    this.#port = this.#server.port;
  }

  async stop(): Promise<void> {
    this.mood = "well";
    await this.#server?.close();
    await this.#files?.[Symbol.asyncDispose]();
  }

  #disturbed(files: LocalFileSystem): NfsFileSystem {
    return new Proxy<NfsFileSystem>(files, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return async (...args: readonly unknown[]): Promise<unknown> => {
          while (this.#mood === "silent") await this.#change.promise;
          if (this.#mood === "later") throw new Error("the store is away");
          if (this.#mood === "full" && name === "write") throw new NfsStatusError("noSpace");
          return Reflect.apply(method, target, args);
        };
      },
    });
  }
}
