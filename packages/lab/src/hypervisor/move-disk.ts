import { bitmapsInUse, BITMAP_GRANULARITY } from "./bitmaps.ts";
import { activeOf, qemuFormat, recordOf, virtualBytesOf, type DiskTree, type Volume } from "./disk-tree.ts";
import type { MoveTarget } from "./hypervisor.ts";
import { mirror } from "./jobs.ts";
import type { Machine } from "./machine.ts";
import { qemuImg } from "./qemu-img.ts";
import { closeChain, nodeName, openChain } from "./volume-nodes.ts";

/** Moves a disk that no machine has: copies its volumes one by one, with their bitmaps. */
export async function moveAtRest(tree: DiskTree, diskId: string, target: MoveTarget): Promise<void> {
  await movingTo(tree, diskId, target, async (from, to) => {
    await copyVolumes(from, to);
    await target.beforeChange();
  });
}

/**
 * Moves a disk of a running machine, as vdsm does: frozen volumes are copied; the active one is mirrored into an empty
 * volume above their copies, and takes its place. Its bitmaps continue there and record all that was mirrored.
 */
export async function moveLive(machine: Machine, tree: DiskTree, diskId: string, target: MoveTarget): Promise<void> {
  const { qmp } = machine.daemon;
  await movingTo(tree, diskId, target, async (from, to) => {
    const [source, active] = [activeOf(from), activeOf(to)];
    await copyVolumes(from.slice(0, -1), to.slice(0, -1));
    await createAbove(active, to.at(-2), await virtualBytesOf(source));
    await openChain(qmp, to, { writable: true });
    try {
      const bitmaps = (await bitmapsInUse(qmp, [source])).get(source.volumeId) ?? [];
      for (const { name } of bitmaps.filter(({ consistent }) => consistent)) {
        const data = { node: nodeName(active), name, granularity: BITMAP_GRANULARITY, persistent: true };
        await qmp.execute("block-dirty-bitmap-add", data);
      }
      await mirror(qmp, nodeName(source), nodeName(active), target.beforeChange);
    } catch (error) {
      if (machine.alive) await closeChain(qmp, to);
      throw error;
    }
    machine.replaceChain(diskId, to);
    await closeChain(qmp, from);
  });
}

/** Removes what was made on failure, else what was there before. */
async function movingTo(
  tree: DiskTree,
  diskId: string,
  { storageDomainId }: MoveTarget,
  work: (from: readonly Volume[], to: readonly Volume[]) => Promise<void>,
): Promise<void> {
  const before = tree.get(diskId);
  const from = tree.volumes(diskId);
  await tree
    .mounted(before.storageDomainId)
    ?.check(
      await Promise.all(
        from.map(async (volume) => ({ ...volume, diskId, virtualBytes: await virtualBytesOf(volume) })),
      ),
    );
  const place = { diskId, storageDomainId };
  const isRemote = tree.mounted(storageDomainId) !== undefined;
  const to = await Promise.all(
    from.map(async (volume) => {
      const { virtualBytes: _, ...record } = recordOf(volume);
      const size = isRemote ? { virtualBytes: await virtualBytesOf(volume) } : {};
      return { ...record, ...size, path: tree.path(place, volume.volumeId) };
    }),
  );
  await tree.makePlace(place);
  try {
    await work(from, to);
    await tree.put({ ...place, volumes: to.map(recordOf) });
  } catch (error) {
    await tree.discard(place).catch(() => {}); // the next move removes it
    throw error;
  }
  await tree.discard(before);
}

async function copyVolumes(from: readonly Volume[], to: readonly Volume[]): Promise<void> {
  for (const [index, source] of from.entries()) {
    const copy = to[index];
    if (copy === undefined) continue;
    const below = to[index - 1];
    const format = qemuFormat(source);
    const isCow = source.format === "cow";
    const above = below === undefined ? [] : ["-B", below.path, "-F", qemuFormat(below)];
    const bitmaps = isCow ? ["--bitmaps", "--skip-broken-bitmaps"] : [];
    await qemuImg("convert", "-U", "-f", format, "-O", format, ...above, ...bitmaps, source.path, copy.path);
    // A bare name means the same directory, wherever that is mounted.
    if (below !== undefined) {
      await qemuImg("rebase", "-u", "-f", format, "-b", below.volumeId, "-F", qemuFormat(below), copy.path);
    }
  }
}

async function createAbove(volume: Volume, below: Volume | undefined, bytes: number): Promise<void> {
  const backing = below === undefined ? [] : ["-u", "-b", below.volumeId, "-F", qemuFormat(below)];
  await qemuImg("create", "-q", "-f", qemuFormat(volume), ...backing, volume.path, String(bytes));
}
