import { LocalFileSystem, NfsServer, NfsServerError } from "@ovault/nfs";

import type { FaultSwitches } from "../engine/faults.ts";
import { FaultyFiles } from "./faulty-files.ts";

interface StagingExportOptions {
  readonly folder: string;
  /** As hosts mount it. */
  readonly path: string;
  readonly fileSystemId: bigint;
  readonly faults: FaultSwitches;
}

/** Owner that hosts expect: vdsm and its group. */
const VDSM = { uid: 36, gid: 36 };

/** One folder, served over NFS on 127.0.0.1 to this machine alone. */
export class StagingExport {
  readonly folder: string;
  readonly path: string;
  readonly #files: LocalFileSystem;
  readonly #server: NfsServer;

  /** @param earlier - options of mounts of an earlier start, whose port it takes again where it is free */
  static async serve(options: StagingExportOptions, earlier = ""): Promise<StagingExport> {
    const files = await LocalFileSystem.open(options.folder, { owner: VDSM });
    const listen = (port: number): Promise<NfsServer> => {
      const { path, fileSystemId, faults } = options;
      const place = { path, fileSystemId, host: "127.0.0.1", allow: ["127.0.0.1"], port };
      return NfsServer.listen({ ...place, files: new FaultyFiles(files, faults) });
    };
    try {
      const last = Number(/port=(\d+)/.exec(earlier)?.[1] ?? 0);
      const server = await listen(last).catch((error: unknown) => {
        if (last === 0 || !(error instanceof NfsServerError)) throw error;
        return listen(0);
      });
      return new StagingExport(options, files, server);
    } catch (error) {
      await files[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor({ folder, path }: StagingExportOptions, files: LocalFileSystem, server: NfsServer) {
    this.folder = folder;
    this.path = path;
    this.#files = files;
    this.#server = server;
  }

  get mountOptions(): string {
    return `port=${this.#server.port},mountport=${this.#server.port}`;
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.#files[Symbol.asyncDispose]();
  }
}
