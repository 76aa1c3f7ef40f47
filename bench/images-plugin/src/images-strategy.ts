import { readFile } from "node:fs/promises";

import {
  ManagerError,
  type Assessment,
  type BackupRequest,
  type DiskSource,
  type HeldInstant,
  type Leftover,
  type LedgerEntry,
  type RestorePlan,
  type RestoreSession,
  type Strategy,
  type VirtualMachine,
} from "@ovault/contract";

import type { ImagesManager } from "./images-manager.ts";
import { openImage, type OpenImage } from "./open-image.ts";
import type { ImageOptions } from "./options.ts";
import { TrackedImage } from "./tracked-image.ts";

/** Reads images as they stand. Makes nothing on its manager, so that nothing can be left there. */
export class ImagesStrategy implements Strategy {
  readonly name = "images";
  readonly #manager: ImagesManager;

  constructor(manager: ImagesManager) {
    this.#manager = manager;
  }

  async assess({ name }: VirtualMachine): Promise<Assessment> {
    const images = [...this.#manager.imagesOf(name)];
    return {
      disks: images.map(([diskId, { changes }]) =>
        changes === undefined
          ? { diskId, verdict: "full", reason: "an image knows no changes" }
          : { diskId, verdict: "incremental", reason: "its changes are listed" },
      ),
    };
  }

  /** Nothing writes to the images: every instant is the same. */
  async takeInstant(request: BackupRequest): Promise<HeldInstant> {
    const images = this.#manager.imagesOf(request.vm.name);
    const opened: OpenImage[] = [];
    return {
      documents: [],
      consistency: "offline",
      async open(signal) {
        const sources: DiskSource[] = [];
        for (const { id } of request.disks) {
          const options = imageOf(images, id);
          const image = await openImage(options.source, id, signal);
          opened.push(image);
          sources.push(await sourceOf(image, options, request));
        }
        return sources;
      },
      async close() {
        await Promise.all(opened.map((image) => image.close()));
        return { bases: new Map(request.disks.map(({ id }) => [id, { listed: true }])) };
      },
      async retire() {},
    };
  }

  async planRestore(): Promise<RestorePlan> {
    return noRestore();
  }

  async openRestore(): Promise<RestoreSession> {
    return noRestore();
  }

  async leftovers(entries: readonly LedgerEntry[]): Promise<readonly Leftover[]> {
    return entries.map((entry) => ({ entry, action: "nothing left", gone: true, remove: async () => undefined }));
  }
}

async function sourceOf(
  image: OpenImage,
  { changes }: ImageOptions,
  { base, full }: BackupRequest,
): Promise<DiskSource> {
  const before = full ? undefined : base?.disks.find((record) => record.disk.id === image.disk.id);
  if (before?.base !== undefined && changes !== undefined) {
    return new TrackedImage(image, JSON.parse(await readFile(changes, "utf8")));
  }
  return {
    disk: image.disk,
    mode: before === undefined ? "full" : "compared",
    reason: image.reason,
    maxReads: image.maxReads,
    readsUnchanged: false,
    extents: (signal) => image.extents(signal),
    readInto: (offset, buffer, signal) => image.readInto(offset, buffer, signal),
  };
}

function imageOf(images: ReadonlyMap<string, ImageOptions>, id: string): ImageOptions {
  const image = images.get(id);
  if (image === undefined) throw new ManagerError(`there is no image for disk ${id}`, { context: { disk: id } });
  return image;
}

function noRestore(): never {
  throw new ManagerError("machines of the kind images cannot be made", {
    hint: "Restore a disk to a file: --disk 0 --to-file PATH.",
  });
}
