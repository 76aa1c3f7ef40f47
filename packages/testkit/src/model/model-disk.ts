import type { BackupMode, Disk, DiskSource, Extent } from "@ovault/contract";

/** A disk in memory. */
export interface ModelDisk {
  readonly bytes: Uint8Array;
  /** As change tracking would report them, gapless; `unchanged` where the base has the same bytes. */
  readonly extents: readonly Extent[];
}

/** A disk as a manager would describe it. */
export function diskOf(logicalBytes: number, id = "disk-1", index = 0): Disk {
  return {
    id,
    alias: id,
    index,
    logicalBytes,
    format: "cow",
    sparse: true,
    bootable: index === 0,
    interface: "virtio_scsi",
    attributes: {},
  };
}

export interface SourceOptions {
  readonly mode?: BackupMode;
  readonly readsUnchanged?: boolean;
  readonly maxReads?: number;
  /** Called before each read; what it throws fails the read. */
  readonly onRead?: (offset: number, length: number) => void | Promise<void>;
  readonly id?: string;
}

/** Serves a model disk. `unchanged` ranges read as poison unless `readsUnchanged`. */
export function sourceOf(disk: ModelDisk, options: SourceOptions = {}): DiskSource {
  const { readsUnchanged = true } = options;
  const readable = Uint8Array.from(disk.bytes);
  if (!readsUnchanged) {
    for (const { offset, length, kind } of disk.extents)
      if (kind === "unchanged") readable.fill(0xee, offset, offset + length);
  }
  return {
    disk: diskOf(disk.bytes.byteLength, options.id),
    mode: options.mode ?? "full",
    reason: "a test",
    carrier: "memory",
    maxReads: options.maxReads ?? 8,
    readsUnchanged,
    async *extents(signal) {
      for (const extent of disk.extents) {
        signal.throwIfAborted();
        yield extent;
      }
    },
    async readInto(offset, buffer, signal) {
      signal.throwIfAborted();
      await options.onRead?.(offset, buffer.byteLength);
      buffer.set(readable.subarray(offset, offset + buffer.byteLength));
    },
  };
}
