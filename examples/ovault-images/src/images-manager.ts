import type { Disk, Manager, VirtualMachine } from "@ovault/contract";

import { openImage } from "./open-image.ts";
import type { ImageOptions, ImagesOptions } from "./options.ts";

export const MANAGER_KIND = "images";

/** Machines that are off, whose disks are image files or NBD exports. */
export class ImagesManager implements Manager {
  readonly name: string;
  readonly kind = MANAGER_KIND;
  readonly #machines: ImagesOptions["machines"];

  constructor(name: string, { machines }: ImagesOptions) {
    this.name = name;
    this.#machines = machines;
  }

  inventory(signal: AbortSignal): Promise<readonly VirtualMachine[]> {
    return Promise.all(Object.keys(this.#machines).map((name) => this.#machine(name, signal)));
  }

  /** By id of the disk. */
  imagesOf(machine: string): ReadonlyMap<string, ImageOptions> {
    const images = this.#machines[machine] ?? [];
    return new Map(images.map((image, index) => [`${machine}-${index}`, image]));
  }

  async close(): Promise<void> {}

  async #machine(name: string, signal: AbortSignal): Promise<VirtualMachine> {
    const disks: Disk[] = [];
    for (const [id, { source }] of this.imagesOf(name)) {
      const image = await openImage(source, id, signal);
      disks.push({ ...image.disk, index: disks.length });
      await image.close();
    }
    return { id: name, name, manager: this.name, status: "down", disks, attributes: {} };
  }
}
