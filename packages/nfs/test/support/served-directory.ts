import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LocalFileSystem, NfsServer, type NfsFileSystem } from "../../src/index.ts";
import { NfsClient, type Handle } from "@ovault/test-support/nfs-client";

const FILE_SYSTEM_ID = 0x6f76n;
const PATH = "/exports/web";

/** A temporary directory that is served to this machine, and a client that has mounted it. */
export class ServedDirectory implements AsyncDisposable {
  readonly directory: string;
  readonly errors: unknown[] = [];
  #files: LocalFileSystem | undefined;
  #server: NfsServer | undefined;
  #client: NfsClient | undefined;
  #root: Handle = Buffer.alloc(0);

  /** @param directory kept at the end; without it a new one, which is not */
  static async serve(
    around: (files: NfsFileSystem) => NfsFileSystem = (files) => files,
    directory?: string,
  ): Promise<ServedDirectory> {
    const served = new ServedDirectory(
      directory ?? (await mkdtemp(join(tmpdir(), "ovault-nfs-"))),
      directory === undefined,
    );
    await served.start(around);
    return served;
  }

  readonly #isOwn: boolean;

  private constructor(directory: string, isOwn: boolean) {
    this.directory = directory;
    this.#isOwn = isOwn;
  }

  get client(): NfsClient {
    if (this.#client === undefined) throw new Error("not served");
    return this.#client;
  }

  get root(): Handle {
    return this.#root;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async start(
    around: (files: NfsFileSystem) => NfsFileSystem = (files) => files,
    allow: readonly string[] = ["127.0.0.1"],
  ): Promise<void> {
    this.#files = await LocalFileSystem.open(this.directory, { owner: { uid: 36, gid: 36 } });
    this.#server = await NfsServer.listen({
      files: around(this.#files),
      fileSystemId: FILE_SYSTEM_ID,
      path: PATH,
      allow,
      host: "127.0.0.1",
      port: 0,
      onError: (error) => this.errors.push(error),
    });
    this.#client = await NfsClient.connect(this.#server.port);
    const root = await this.#client.mount(PATH);
    if (typeof root === "number") throw new Error(`mount: ${root}`);
    this.#root = root;
  }

  /** As a server that ends and starts again; a new connection. */
  async restart(allow?: readonly string[]): Promise<void> {
    await this.#stop();
    await this.start(undefined, allow);
  }

  async #stop(): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
    await this.#server?.close();
    await this.#files?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    if (this.#isOwn) await rm(this.directory, { recursive: true, force: true });
  }
}
