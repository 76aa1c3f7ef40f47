import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { NbdClient, type NbdExtent } from "@ovault/nbd";
import { onTestFinished } from "vitest";

import type { NbdExport } from "../../src/hypervisor/hypervisor.ts";
import { QemuHypervisor } from "../../src/hypervisor/qemu-hypervisor.ts";
import { makeTemporaryDirectory, type Finished } from "./temporary-directory.ts";

export const MiB = 1024 * 1024;
export const CLUSTER_BYTES = 65536;
export const { signal } = new AbortController();

export interface TestHypervisor {
  readonly hypervisor: QemuHypervisor;
  readonly directory: string;
}

/** A hypervisor over an empty tree; it is closed, and the tree removed, after the test. */
export async function openTestHypervisor(finished: Finished = onTestFinished): Promise<TestHypervisor> {
  const directory = await makeTemporaryDirectory(finished);
  const hypervisor = await QemuHypervisor.open(join(directory, "storage"));
  finished(() => hypervisor.close());
  return { hypervisor, directory };
}

/** Adds an empty disk whose volume is called `DISK-volume`. */
export async function addDisk(
  { hypervisor }: TestHypervisor,
  diskId: string,
  { format = "cow", virtualBytes = 4 * MiB }: { format?: "cow" | "raw"; virtualBytes?: number } = {},
): Promise<void> {
  const volumeId = `${diskId}-volume`;
  await hypervisor.createDisk({ storageDomainId: "domain", diskId, volumeId, format, virtualBytes, sparse: true });
}

/** QEMU's own view of the disk as it is now. */
export async function viewDisk({ hypervisor, directory }: TestHypervisor, diskId: string): Promise<Buffer> {
  const path = join(directory, `${diskId}.raw`);
  await hypervisor.view(diskId, path);
  return readFile(path);
}

/** All bytes that an export serves. */
export async function readExport({ path, exportName }: NbdExport): Promise<Buffer> {
  await using client = await NbdClient.connect({ address: { path }, exportName, signal });
  const bytes = Buffer.alloc(client.logicalBytes);
  await client.readInto(0, bytes, signal);
  return bytes;
}

/** What an export says in one metadata context. */
export async function readContext({ path, exportName }: NbdExport, context: string): Promise<readonly NbdExtent[]> {
  await using client = await NbdClient.connect({ address: { path }, exportName, contexts: [context], signal });
  return await Array.fromAsync(client.allocation(context, signal));
}

/** The clusters of 64 KiB that an increment says have changed. */
export async function dirtyClusters(nbd: NbdExport, bitmap: string): Promise<readonly number[]> {
  const extents = await readContext(nbd, `qemu:dirty-bitmap:${bitmap}`);
  return extents
    .filter(({ flags }) => (flags & 1) !== 0)
    .flatMap(({ offset, length }) => {
      const first = offset / CLUSTER_BYTES;
      return Array.from({ length: Math.ceil(length / CLUSTER_BYTES) }, (_, index) => first + index);
    });
}
