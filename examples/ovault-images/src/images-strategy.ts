import { readFile } from "node:fs/promises";

import {
  type Assessment,
  type BackupRequest,
  type Disk,
  type DiskAssessment,
  type DiskSource,
  type HeldInstant,
  type Leftover,
  type LedgerEntry,
  ManagerError,
  type RestorePlan,
  type RestoreSession,
  type RunContext,
  type Strategy,
  type VirtualMachine,
} from "@ovault/contract";

import { Copies, copyLeftover } from "./copies.ts";
import { ImageSource } from "./image-source.ts";
import type { ImagesManager } from "./images-manager.ts";
import { isExport, openImage, type OpenImage } from "./open-image.ts";
import type { ImageOptions, StrategyOptions } from "./options.ts";

/** Reads images as they stand, or copies of them. */
export class ImagesStrategy implements Strategy {
  readonly name = "images";
  readonly #manager: ImagesManager;
  readonly #copies: string | undefined;

  constructor(manager: ImagesManager, { copies }: StrategyOptions = {}) {
    this.#manager = manager;
    this.#copies = copies;
  }

  async assess({ name }: VirtualMachine): Promise<Assessment> {
    return { disks: [...this.#manager.imagesOf(name)].map((image) => this.#assessDisk(...image)) };
  }

  async takeInstant(request: BackupRequest, context: RunContext): Promise<HeldInstant> {
    context.signal.throwIfAborted();
    const images = new Map<string, ImageOptions>();
    const copies = this.#copies === undefined ? undefined : new Copies(this.#copies);
    try {
      for (const { id } of request.disks) {
        const image = this.#imageOf(request.vm, id);
        images.set(
          id,
          copies === undefined ? image : { ...image, source: await copies.make(image.source, id, context) },
        );
      }
    } catch (error) {
      await copies?.remove();
      throw error;
    }
    return instantOf(request, images, copies);
  }

  async planRestore(): Promise<RestorePlan> {
    return noRestore();
  }

  async openRestore(): Promise<RestoreSession> {
    return noRestore();
  }

  async leftovers(entries: readonly LedgerEntry[]): Promise<readonly Leftover[]> {
    return await Promise.all(entries.map((entry) => copyLeftover(this.#copies, entry)));
  }

  #assessDisk(diskId: string, { source, changes }: ImageOptions): DiskAssessment {
    if (this.#copies !== undefined && isExport(source)) {
      return { diskId, verdict: "impossible", reason: "an NBD export cannot be copied" };
    }
    if (changes === undefined) return { diskId, verdict: "full", reason: "an image knows no changes" };
    return { diskId, verdict: "incremental", reason: "its changes are listed" };
  }

  #imageOf(vm: VirtualMachine, id: string): ImageOptions {
    const image = this.#manager.imagesOf(vm.name).get(id);
    if (image === undefined) throw new ManagerError(`there is no image for disk ${id}`, { context: { disk: id } });
    return image;
  }
}

function instantOf(
  request: BackupRequest,
  images: ReadonlyMap<string, ImageOptions>,
  copies: Copies | undefined,
): HeldInstant {
  const opened: OpenImage[] = [];
  return {
    documents: [],
    consistency: "offline",
    async open(signal) {
      const sources: DiskSource[] = [];
      for (const [id, options] of images) {
        const image = await openImage(options.source, id, signal);
        opened.push(image);
        sources.push(await sourceOf(image, options, request));
      }
      return sources;
    },
    async close() {
      await Promise.all(opened.splice(0).map((image) => image.close()));
      await copies?.remove();
      return { bases: new Map(request.disks.map(({ id }: Disk) => [id, { listed: true }])) };
    },
    async retire() {},
  };
}

async function sourceOf(image: OpenImage, { changes }: ImageOptions, request: BackupRequest): Promise<ImageSource> {
  const before = request.full ? undefined : request.base?.disks.find(({ disk }) => disk.id === image.disk.id);
  const isListed = before?.base !== undefined && changes !== undefined;
  return new ImageSource(image, {
    hasBase: before !== undefined,
    ...(isListed && { changes: JSON.parse(await readFile(changes, "utf8")) }),
  });
}

function noRestore(): never {
  throw new ManagerError("machines of the kind images cannot be made", {
    hint: "Restore a disk to a file: --disk 0 --to-file PATH.",
  });
}
