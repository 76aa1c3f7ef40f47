import { rm } from "node:fs/promises";

import { qemuImg } from "./qemu-img.ts";
import type { QmpClient } from "./qmp-client.ts";

/** A temporary qcow2 layer on top of a node: takes the writes, and reads the rest from the node. */
export interface ScratchLayer {
  /** Name of its own node. */
  readonly node: string;
  readonly path: string;
}

export async function addScratchLayer(
  qmp: QmpClient,
  { node, path }: ScratchLayer,
  below: { readonly node: string; readonly virtualBytes: number },
): Promise<void> {
  await qemuImg("create", "-q", "-f", "qcow2", path, String(below.virtualBytes));
  try {
    await qmp.execute("blockdev-add", {
      driver: "qcow2",
      "node-name": node,
      discard: "unmap",
      file: { driver: "file", filename: path, discard: "unmap" },
      backing: below.node,
    });
  } catch (error) {
    await rm(path);
    throw error;
  }
}

export async function removeScratchLayer(qmp: QmpClient, { node, path }: ScratchLayer): Promise<void> {
  await qmp.execute("blockdev-del", { "node-name": node });
  await rm(path, { force: true });
}
