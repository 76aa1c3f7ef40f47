import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, realpath } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";

import { NotFoundError, type RecoveryPoint, syncDirectory, systemErrorCode, UsageError } from "@ovault/contract";
import { parsePoint } from "@ovault/core";

import { readJson, writeJson } from "./durable-json.ts";
import { type ShareDescription, shareDescriptionSchema } from "./share-description.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Where a share keeps what must outlive its process: `STATE/instant/NAME`. */
export class ShareDirectory {
  readonly path: string;
  /** Holds `stage`, which hosts mount, and `placing`, for files that they do not see yet. */
  readonly tree: string;
  readonly table: string;
  readonly #name: string;
  readonly #description: string;

  /** Names it only. @throws UsageError for a name that is none */
  constructor(stateDirectory: string, name: string) {
    if (!NAME.test(name)) {
      throw new UsageError(`${name} is no name of a share`, {
        hint: "Letters, digits, - _ and . can be in it, 64 at most.",
      });
    }
    this.path = join(stateDirectory, "instant", name);
    this.tree = join(this.path, "tree");
    this.table = join(this.path, "volumes.json");
    this.#name = name;
    this.#description = join(this.path, "config.json");
  }

  /** The pages that were written to a volume. */
  overlayOf(volume: string): string {
    return join(this.path, "overlays", volume);
  }

  /** @throws UsageError when there is a share of this name */
  async make(description: ShareDescription): Promise<void> {
    await mkdir(join(this.path, "overlays"), { recursive: true, mode: 0o700 });
    await mkdir(join(this.path, "points"), { recursive: true, mode: 0o700 });
    for (const name of ["stage", "placing"]) {
      await mkdir(join(this.tree, name), { recursive: true, mode: 0o755 });
    }
    await syncDirectory(this.tree);
    if ((await readJson(this.#description, (value) => value)) !== undefined) {
      throw new UsageError(`there is a share ${this.#name} already`, { context: { directory: this.path } });
    }
    await this.describe(description);
  }

  /** Says what the share is to serve from its next start or `reload` on. */
  async describe(description: ShareDescription): Promise<void> {
    await writeJson(this.#description, shareDescriptionSchema.parse(description));
  }

  /** @throws NotFoundError; IntegrityError */
  async description(): Promise<ShareDescription> {
    const found = await readJson(this.#description, (value) => shareDescriptionSchema.parse(value));
    if (found !== undefined) return found;
    throw new NotFoundError(`there is no share ${this.#name}`, { context: { directory: this.path } });
  }

  /** The manifest of a point as it was when the share first held it: it may be forgotten since. */
  async point(hold: string): Promise<RecoveryPoint | undefined> {
    return await readJson(this.#pointFile(hold), parsePoint);
  }

  async keepPoint(hold: string, point: RecoveryPoint): Promise<void> {
    await writeJson(this.#pointFile(hold), point);
  }

  #pointFile(hold: string): string {
    return join(this.path, "points", `${hold}.json`);
  }

  /**
   * One process at a time: two would write one overlay. The lock is the name of an abstract socket, which the kernel
   * frees when the process ends in any way.
   * @throws UsageError when another process has it
   */
  async lock(): Promise<AsyncDisposable> {
    const digest = createHash("sha256").update(await realpath(this.path));
    const server = net.createServer((socket) => socket.destroy());
    try {
      server.listen(`\0ovault-instant-${digest.digest("hex")}`);
      await once(server, "listening");
    } catch (error) {
      if (systemErrorCode(error) !== "EADDRINUSE") throw error;
      throw new UsageError(`share ${this.#name} is served by another process`, { context: { directory: this.path } });
    }
    server.unref();
    return {
      [Symbol.asyncDispose]: async () => {
        server.close();
        await once(server, "close");
      },
    };
  }
}
