import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { z } from "zod";

import { nfsClientProgram } from "./nfs-client-program.ts";
import { NfsFailure } from "./nfs-failure.ts";

const answer = z.union([
  z.object({ result: z.unknown() }),
  z.object({ code: z.string(), message: z.string().nullable() }),
]);
const attributes = z.object({
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  bytes: z.number(),
  used: z.number(),
});
const names = z.array(z.string());

/** How long a mount may take: longer than a server needs that is busy, shorter than a test waits. */
const PATIENCE_MS = 10_000;

/** What a host sees of a file. */
export type NfsAttributes = z.infer<typeof attributes>;

/** Where an export is. Without ports the client looks for them at the portmapper, as a host does. */
export interface NfsPlace {
  readonly address: string;
  /** Absolute path of the export. */
  readonly path: string;
  /** As of mount: `port=2049,mountport=2049`; others have no meaning here. */
  readonly mountOptions?: string | undefined;
}

/**
 * A host's mount of an NFS export: libnfs in a process of its own. Paths are absolute, from the export down. Calls run
 * one after the other. Every call throws NfsFailure.
 */
export class NfsClient {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor() {
    // Debian's own python3 before others, which may only be wrappers that are slow to start.
    const env = { ...process.env, PATH: `/usr/bin:${process.env["PATH"] ?? ""}` };
    this.#process = spawn("python3", ["-c", nfsClientProgram], { env });
    this.#process.stdin.on("error", () => {}); // the process has ended: the next answer says so
    this.#process.on("error", () => {});
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  /** Mounts an export until `close`. @throws NfsFailure `ETIMEDOUT` when the server does not answer in that time */
  static async open(place: NfsPlace, patienceMs = PATIENCE_MS): Promise<NfsClient> {
    const client = new NfsClient();
    const giveUp = setTimeout(() => client.close(), patienceMs);
    try {
      await client.#call("mount", urlOf(place));
      return client;
    } catch (error) {
      const gaveUp = client.#process.killed;
      client.close();
      throw gaveUp ? new NfsFailure("ETIMEDOUT", `${place.address} does not answer: connection timed out`) : error;
    } finally {
      clearTimeout(giveUp);
    }
  }

  /** Mounts an export for the time of the work. */
  static async with<T>(place: NfsPlace, work: (client: NfsClient) => Promise<T>, patienceMs?: number): Promise<T> {
    const client = await NfsClient.open(place, patienceMs);
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  /** Ends it; calls under way fail. */
  close(): void {
    this.#process.stdin.end();
    this.#process.kill("SIGKILL");
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await this.#call("mkdir", path, mode);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call("rename", from, to);
  }

  async stat(path: string): Promise<NfsAttributes> {
    return attributes.parse(await this.#call("stat", path));
  }

  /** Names in a directory, sorted. */
  async list(path: string): Promise<readonly string[]> {
    return names.parse(await this.#call("list", path));
  }

  /** Removes a file, or a directory with all that lies in it. Missing is not an error. */
  async remove(path: string): Promise<void> {
    await this.#call("remove", path);
  }

  /** Writes a local file out. */
  async upload(path: string, source: string, mode: number): Promise<void> {
    await this.#call("upload", path, source, mode);
  }

  /** Reads a file into a local one. */
  async download(path: string, target: string): Promise<void> {
    await this.#call("download", path, target);
  }

  async writeText(path: string, text: string, mode: number): Promise<void> {
    await withFile(async (file) => {
      await writeFile(file, text);
      await this.upload(path, file, mode);
    });
  }

  async readText(path: string): Promise<string> {
    return withFile(async (file) => {
      await this.download(path, file);
      return readFile(file, "utf8");
    });
  }

  /** Makes a file of zeros, without taking space. */
  async make(path: string, bytes: number, mode: number): Promise<void> {
    await this.#call("make", path, bytes, mode);
  }

  /** Writes within a file, durable when it resolves. */
  async writeAt(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#call("put", path, offset, Buffer.from(bytes).toString("base64"));
  }

  /** Fewer bytes at the end of the file. */
  async readAt(path: string, offset: number, bytes: number): Promise<Buffer> {
    return Buffer.from(z.string().parse(await this.#call("get", path, offset, bytes)), "base64");
  }

  /** Reads the first `areaBytes` of a file, then writes one sector of it. Answers with how many ms that took. */
  async renew(path: string, areaBytes: number, offset: number, sector: Uint8Array): Promise<number> {
    const data = Buffer.from(sector).toString("base64");
    return z.number().parse(await this.#call("renew", path, areaBytes, offset, data));
  }

  async #call(...request: readonly (string | number)[]): Promise<unknown> {
    const answered = this.#last.then(() => this.#exchange(request));
    this.#last = answered.catch(() => {});
    return answered;
  }

  async #exchange(request: readonly (string | number)[]): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new NfsFailure("EIO", "the NFS client has ended");
    const parsed = answer.parse(JSON.parse(value));
    if ("code" in parsed) throw new NfsFailure(parsed.code, parsed.message ?? parsed.code);
    return parsed.result;
  }
}

function urlOf({ address, path, mountOptions = "" }: NfsPlace): string {
  const options = new URLSearchParams(mountOptions.replaceAll(",", "&"));
  const query = new URLSearchParams({ version: "3", autoreconnect: "0" });
  const [port, mountPort] = [options.get("port"), options.get("mountport")];
  if (port !== null) query.set("nfsport", port);
  if (mountPort !== null) query.set("mountport", mountPort);
  return `nfs://${address}${encodeURI(path)}?${query.toString()}`;
}

async function withFile<T>(work: (file: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-lab-nfs-"));
  try {
    return await work(join(directory, "text"));
  } finally {
    await rm(directory, { recursive: true });
  }
}
