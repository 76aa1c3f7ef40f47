import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { attachLoop, detachLoop } from "./loop-device.ts";

const POLL_MS = 10;
const REQUESTS = "undici:request:create";

/**
 * Plays kernel and udev: shows each file of a lab's device directory as a real block device, under a link of the file's
 * name. A device goes when this process asks the engine to unplug its disk.
 */
export class BlockDevices {
  readonly directory: string;
  readonly #files: string;
  readonly #ended = new AbortController();
  readonly #shown = new Map<string, { readonly unplug: () => void; readonly gone: Promise<void> }>();
  readonly #watching: Promise<void>;

  static async start(files: string, directory: string): Promise<BlockDevices> {
    await mkdir(directory);
    return new BlockDevices(files, directory);
  }

  private constructor(files: string, directory: string) {
    this.#files = files;
    this.directory = directory;
    subscribe(REQUESTS, this.#onRequest);
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    unsubscribe(REQUESTS, this.#onRequest);
    this.#ended.abort();
    await this.#watching;
    for (const { unplug } of this.#shown.values()) unplug();
    await Promise.all([...this.#shown.values()].map(({ gone }) => gone));
  }

  readonly #onRequest = (message: unknown): void => {
    const { request } = message as { readonly request: { readonly method: string; readonly path: string } };
    if (request.method !== "PUT" || !request.path.includes("/diskattachments/")) return;
    for (const [name, { unplug }] of this.#shown) if (name.endsWith(basename(request.path))) unplug();
  };

  async #watch(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      for (const name of await readdir(this.#files)) {
        if (this.#shown.has(name)) continue;
        const { size } = await stat(join(this.#files, name)).catch(() => ({ size: 0 }));
        if (size === 0) continue;
        const { promise, resolve } = Promise.withResolvers<void>();
        const gone = this.#show(name, promise).finally(() => this.#shown.delete(name));
        this.#shown.set(name, { unplug: resolve, gone });
      }
      await sleep(POLL_MS);
    }
  }

  async #show(name: string, unplugged: Promise<void>): Promise<void> {
    const file = join(this.#files, name);
    const link = join(this.directory, name);
    const device = await attachLoop(file);
    try {
      await symlink(device, link);
      await unplugged;
    } finally {
      await rm(link, { force: true });
      await detachLoop(device);
    }
    while (existsSync(file) && !this.#ended.signal.aborted) await sleep(POLL_MS);
  }
}
