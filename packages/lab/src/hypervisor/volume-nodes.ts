import { createHash } from "node:crypto";

import { activeOf, isOnNfs, qemuFormat, type Volume } from "./disk-tree.ts";
import type { QmpArguments, QmpClient } from "./qmp-client.ts";

/**
 * Name of the block node of a volume, of at most 31 characters as QEMU wants it: while a disk moves, its volumes are in
 * two places under the same ids.
 */
export function nodeName({ path }: Pick<Volume, "path">): string {
  return `v${createHash("sha256").update(path).digest("hex").slice(0, 24)}`;
}

export interface OpenNodes {
  /** The top node takes writes; discards reach the file. */
  readonly writable: boolean;
  /** Uploads: written zeroes become holes. */
  readonly detectZeroes?: boolean;
}

/**
 * Opens a chain, base first, one node a volume, and returns the name of the top node. The monitor owns every node, so
 * that snapshots and merges can move them.
 */
export async function openChain(qmp: QmpClient, chain: readonly Volume[], options: OpenNodes): Promise<string> {
  const opened: Volume[] = [];
  try {
    for (const volume of chain) {
      const below = opened.at(-1);
      await openVolume(qmp, volume, {
        ...options,
        writable: options.writable && opened.length === chain.length - 1,
        backing: below === undefined ? null : nodeName(below),
      });
      opened.push(volume);
    }
  } catch (error) {
    await closeChain(qmp, opened);
    throw error;
  }
  return nodeName(activeOf(chain));
}

/** Opens one volume over an open node, or over none. */
export async function openVolume(
  qmp: QmpClient,
  volume: Volume,
  { writable, detectZeroes = false, backing }: OpenNodes & { readonly backing: string | null },
): Promise<void> {
  await qmp.execute("blockdev-add", volumeOptions(volume, { writable, detectZeroes, backing }));
}

/** Makes a volume inside a chain writable, for a merge into it, or read-only, so that others may read its file. */
export async function setWritable(
  qmp: QmpClient,
  volume: Volume,
  { writable, backing }: { readonly writable: boolean; readonly backing: string | null },
): Promise<void> {
  await qmp.execute("blockdev-reopen", { options: [volumeOptions(volume, { writable, backing })] });
}

function volumeOptions(
  volume: Volume,
  { writable, detectZeroes = false, backing }: OpenNodes & { readonly backing: string | null },
): QmpArguments {
  return {
    driver: qemuFormat(volume),
    "node-name": nodeName(volume),
    "read-only": !writable,
    discard: "unmap",
    ...(detectZeroes && writable && { "detect-zeroes": "unmap" }),
    ...(volume.format === "cow" && { backing }),
    file: fileOptions(volume.path),
  };
}

/** A file of this machine, or one on an NFS server: QEMU's driver for those cannot make a file writable later. */
function fileOptions(path: string): QmpArguments {
  if (!isOnNfs(path)) return { driver: "file", filename: path, discard: "unmap" };
  const { hostname, pathname } = new URL(path);
  return {
    driver: "nfs",
    server: { type: "inet", host: hostname },
    path: decodeURI(pathname),
    "read-only": false,
  };
}

/** Closes the nodes of a chain; qcow2 bitmaps are written back. */
export async function closeChain(qmp: QmpClient, chain: readonly Volume[]): Promise<void> {
  for (const volume of chain.toReversed()) {
    await qmp.execute("blockdev-del", { "node-name": nodeName(volume) });
  }
}
