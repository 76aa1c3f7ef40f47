import { BITMAP_GRANULARITY, bitmapsInUse, type Bitmap } from "./bitmaps.ts";
import { activeOf, qemuFormat, recordOf, virtualBytesOf, type DiskTree, type Volume } from "./disk-tree.ts";
import { HypervisorError } from "./errors.ts";
import type { SnapshotDisk } from "./hypervisor.ts";
import { runJob } from "./jobs.ts";
import type { Machine } from "./machine.ts";
import { qemuImg } from "./qemu-img.ts";
import type { QmpArguments } from "./qmp-client.ts";
import { nodeName, openVolume, setWritable } from "./volume-nodes.ts";

/**
 * Puts an empty volume on top of each disk, all at one instant. Bitmaps stay in their volume and continue, empty and
 * under the same names, in the new one: together they still record the changes.
 */
export async function createSnapshot(machine: Machine, tree: DiskTree, disks: readonly SnapshotDisk[]): Promise<void> {
  const { qmp } = machine.daemon;
  const actions: QmpArguments[] = [];
  const overlays: { diskId: string; volume: Volume }[] = [];
  try {
    for (const { diskId, newVolumeId } of disks) {
      const chain = machine.chain(diskId);
      const active = activeOf(chain);
      const path = tree.path(tree.get(diskId), newVolumeId);
      const size = active.virtualBytes === undefined ? {} : { virtualBytes: active.virtualBytes };
      const volume: Volume = { volumeId: newVolumeId, format: "cow", path, ...size };
      await createOverlay(path, active);
      await openVolume(qmp, volume, { writable: true, backing: null });
      overlays.push({ diskId, volume });
      const bitmaps = (await bitmapsInUse(qmp, [active])).get(active.volumeId) ?? [];
      const node = nodeName(volume);
      actions.push({ type: "blockdev-snapshot", data: { node: nodeName(active), overlay: node } });
      for (const { name } of bitmaps.filter(({ consistent }) => consistent)) {
        const data = { node, name, granularity: BITMAP_GRANULARITY, persistent: true };
        actions.push({ type: "block-dirty-bitmap-add", data });
      }
    }
    await qmp.execute("transaction", { actions });
  } catch (error) {
    for (const { diskId, volume } of overlays) {
      await qmp.execute("blockdev-del", { "node-name": nodeName(volume) });
      await tree.removeFile(tree.get(diskId), volume.volumeId);
    }
    throw error;
  }
  for (const { diskId, volume } of overlays) {
    machine.replaceChain(diskId, [...machine.chain(diskId), volume]);
    await recordChain(machine, tree, diskId);
  }
}

/**
 * Merges the volume above `volumeId` down into it. Bitmaps that began above move down with their data. The disk must
 * not be written meanwhile.
 */
export async function removeSnapshot(
  machine: Machine,
  tree: DiskTree,
  diskId: string,
  volumeId: string,
): Promise<void> {
  const { qmp } = machine.daemon;
  const chain = machine.chain(diskId);
  const at = chain.findIndex((volume) => volume.volumeId === volumeId);
  const [base, child] = [chain[at], chain[at + 1]];
  if (base === undefined || child === undefined) {
    throw new HypervisorError(`disk ${diskId} has no snapshot volume ${volumeId}`, { context: { diskId, volumeId } });
  }
  const below = chain[at - 1];
  const bitmaps = await bitmapsInUse(qmp, [base, child]);
  const backing = below === undefined ? null : nodeName(below);
  await setWritable(qmp, base, { writable: true, backing });
  const carried = base.format === "cow" ? bitmapsToCarry(base, child, bitmaps) : [];
  for (const name of carried) {
    const data = { node: nodeName(base), name, granularity: BITMAP_GRANULARITY };
    await qmp.execute("block-dirty-bitmap-add", { ...data, persistent: true, disabled: true });
  }
  await commit(machine, chain, base, child);
  for (const name of carried) {
    const node = nodeName(base);
    const from = { node: nodeName(child), name };
    await qmp.execute("block-dirty-bitmap-merge", { node, target: name, bitmaps: [from] });
    await qmp.execute("block-dirty-bitmap-enable", { node, name });
  }
  await qmp.execute("blockdev-del", { "node-name": nodeName(child) });
  if (child !== activeOf(chain)) await setWritable(qmp, base, { writable: false, backing });
  machine.replaceChain(
    diskId,
    chain.filter((volume) => volume !== child),
  );
  await recordChain(machine, tree, diskId);
  await tree.removeFile(tree.get(diskId), child.volumeId);
}

/** Bitmaps of the upper volume that the lower one lacks; its own bitmaps record the merged data by themselves. */
function bitmapsToCarry(
  base: Volume,
  child: Volume,
  bitmaps: ReadonlyMap<string, readonly Bitmap[]>,
): readonly string[] {
  const known = new Set(bitmaps.get(base.volumeId)?.map(({ name }) => name));
  const above = bitmaps.get(child.volumeId) ?? [];
  return above.filter(({ name, consistent }) => consistent && !known.has(name)).map(({ name }) => name);
}

async function commit(machine: Machine, chain: readonly Volume[], base: Volume, child: Volume): Promise<void> {
  const active = activeOf(chain);
  const inTheMiddle = child !== active && {
    "top-node": nodeName(child),
    "backing-file": base.volumeId, // for the header of the volume above
  };
  const args = { device: nodeName(active), "base-node": nodeName(base), ...inTheMiddle };
  await runJob(machine.daemon.qmp, "block-commit", args, `commit-${nodeName(child)}`);
}

async function createOverlay(path: string, backing: Volume): Promise<void> {
  const format = qemuFormat(backing);
  const bytes = await virtualBytesOf(backing);
  // unsafe (-u): the backing file is open elsewhere, and its bare name means the same directory
  await qemuImg("create", "-q", "-u", "-f", "qcow2", "-b", backing.volumeId, "-F", format, path, String(bytes));
}

async function recordChain(machine: Machine, tree: DiskTree, diskId: string): Promise<void> {
  await tree.put({ ...tree.get(diskId), volumes: machine.chain(diskId).map(recordOf) });
}
