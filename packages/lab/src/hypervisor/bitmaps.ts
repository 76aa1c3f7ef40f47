import { z } from "zod";

import { qemuFormat, type Volume } from "./disk-tree.ts";
import type { CheckpointState } from "./hypervisor.ts";
import { inspectVolume } from "./qemu-img.ts";
import type { QmpClient } from "./qmp-client.ts";
import { nodeName } from "./volume-nodes.ts";

/**
 * A checkpoint is a persistent dirty bitmap of the same name in the active volume. All stay enabled, so each alone
 * records the changes since its creation, and any can be removed without touching the others. When a snapshot puts a
 * new volume on top, each bitmap continues there under the same name.
 */
export const BITMAP_GRANULARITY = 65536;

/** A dirty bitmap of one volume. */
export interface Bitmap {
  readonly name: string;
  readonly consistent: boolean;
}

const namedNodes = z.array(
  z.object({
    "node-name": z.string(),
    "dirty-bitmaps": z
      .array(z.object({ name: z.string().default(""), persistent: z.boolean(), inconsistent: z.boolean().optional() }))
      .optional(),
  }),
);

/** Persistent bitmaps of the volumes of a chain, by volume id, from the process that holds them. */
export async function bitmapsInUse(
  qmp: QmpClient,
  chain: readonly Volume[],
): Promise<ReadonlyMap<string, readonly Bitmap[]>> {
  const nodes = namedNodes.parse(await qmp.execute("query-named-block-nodes", { flat: true }));
  return new Map(
    chain.map((volume) => {
      const node = nodes.find((candidate) => candidate["node-name"] === nodeName(volume));
      const bitmaps = (node?.["dirty-bitmaps"] ?? []).filter(({ persistent }) => persistent);
      return [volume.volumeId, bitmaps.map(({ name, inconsistent = false }) => ({ name, consistent: !inconsistent }))];
    }),
  );
}

/** The same, read from the files of a chain that no process holds. */
export async function bitmapsAtRest(chain: readonly Volume[]): Promise<ReadonlyMap<string, readonly Bitmap[]>> {
  return new Map(
    await Promise.all(
      chain.map(async (volume): Promise<[string, readonly Bitmap[]]> => {
        const info = await inspectVolume(volume.path, qemuFormat(volume));
        const bitmaps = info["format-specific"]?.data.bitmaps ?? [];
        return [volume.volumeId, bitmaps.map(({ name, flags }) => ({ name, consistent: !flags.includes("in-use") }))];
      }),
    ),
  );
}

/** The volumes whose bitmaps together record the changes since a checkpoint, and whether they are consistent. */
export function traceCheckpoint(
  chain: readonly Volume[],
  bitmaps: ReadonlyMap<string, readonly Bitmap[]>,
  checkpointId: string,
): { readonly state: CheckpointState; readonly volumes: readonly Volume[] } {
  const volumes: Volume[] = [];
  let consistent = true;
  for (const volume of chain.toReversed()) {
    const bitmap = bitmaps.get(volume.volumeId)?.find(({ name }) => name === checkpointId);
    if (bitmap === undefined) break; // older volumes predate the checkpoint
    volumes.push(volume);
    consistent &&= bitmap.consistent;
  }
  if (volumes.length === 0) return { state: "missing", volumes };
  return { state: consistent ? "ok" : "inconsistent", volumes };
}
