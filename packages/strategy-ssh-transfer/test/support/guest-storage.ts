import { readFile, writeFile } from "node:fs/promises";

import type { BlockDomain as LabDomain, BlockStorage, BlockVolume } from "@ovault/lab";
import { BlockDomain } from "@ovault/test-support/linux-guest/block-domain";
import type { LinuxGuest } from "@ovault/test-support/linux-guest/linux-guest";

/**
 * The block storage of a lab as logical volumes of a guest. The lab's machines run on other hosts than the guest: their
 * volumes are inactive there.
 */
export class GuestStorage implements BlockStorage {
  readonly #guest: LinuxGuest;
  readonly #volumes = new Set<string>();
  #domain: BlockDomain | undefined;

  constructor(guest: LinuxGuest) {
    this.#guest = guest;
  }

  get domain(): BlockDomain {
    if (this.#domain === undefined) throw new Error("the lab has not opened its block storage");
    return this.#domain;
  }

  async open(ids: LabDomain): Promise<void> {
    this.#domain = await BlockDomain.create(this.#guest, ids);
  }

  async write({ diskId: imageId, volumeId, parentId, bytes }: BlockVolume, file: string): Promise<void> {
    if (!this.#volumes.has(volumeId)) await this.domain.add({ imageId, volumeId, parentId, bytes, linked: false });
    this.#volumes.add(volumeId);
    await this.domain.fill(volumeId, await readFile(file));
  }

  async read({ volumeId, format, virtualBytes }: BlockVolume, file: string): Promise<void> {
    await writeFile(file, await this.domain.read(volumeId, format === "cow" ? "qcow2" : virtualBytes));
  }

  async remove({ volumeId }: Pick<BlockVolume, "volumeId">): Promise<void> {
    if (this.#volumes.delete(volumeId)) await this.domain.remove(volumeId);
  }

  async use(): Promise<void> {}
}
