import type { DiskReader } from "@ovault/contract";
import { collectZeroExtents, type ExtentList, type ImageioClient, withinBase } from "@ovault/ovirt";
import type { ImageChain } from "@ovault/qcow2";

/** A disk's content, or its changes, independent of the transfer. The session closes the underlying connection. */
export type DiskView = Omit<DiskReader, "close">;

/** A whole disk as imageio shows it. Daemons before 4.4 list no extents: everything is read. */
export function wholeDisk(client: ImageioClient, logicalBytes: number): DiskView {
  return {
    logicalBytes,
    async *extents(signal) {
      signal.throwIfAborted();
      if (client.abilities.features.has("extents")) yield* await collectZeroExtents(client.extents("zero", signal));
      else yield { offset: 0, length: logicalBytes, kind: "data" };
    },
    readInto: (offset, buffer, signal) => client.readInto(offset, buffer, signal),
  };
}

/** One layer as imageio shows it. */
export function changedRanges(client: ImageioClient, changes: ExtentList, logicalBytes: number): DiskView {
  return {
    logicalBytes,
    async *extents(signal) {
      signal.throwIfAborted();
      yield* changes;
    },
    readInto: (offset, buffer, signal) => client.readInto(offset, buffer, signal),
  };
}

/** Layers read from their files. With `baseBytes`, only the top one, on a base of that size. */
export function imageFiles(chain: ImageChain, baseBytes?: number): DiskView {
  return {
    logicalBytes: chain.logicalBytes,
    async *extents(signal) {
      signal.throwIfAborted();
      if (baseBytes === undefined) yield* chain.extents(signal);
      else yield* withinBase(chain.extents(signal, { changedIn: 1 }), baseBytes);
    },
    readInto: (offset, buffer, signal) => chain.readInto(offset, buffer, signal),
  };
}
