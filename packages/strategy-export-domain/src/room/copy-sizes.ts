import type { Disk, VirtualMachine } from "@ovault/contract";
import { vmAttributes, type Capabilities, type EngineApi } from "@ovault/ovirt";

const BLANK_TEMPLATE = "00000000-0000-0000-0000-000000000000";
const MIB = 1024 * 1024;
/** Tables of a QCOW2 file: 8 bytes for each cluster of 64 KiB, and the counts of references. */
const TABLES = 1 / 4096;

/**
 * The most bytes that a copy of each disk takes, by id. Copies of raw disks may be written in full by old hosts, however
 * little they hold.
 */
export async function copySizes(
  { vm, disks }: { readonly vm: VirtualMachine; readonly disks: readonly Disk[] },
  site: { readonly api: EngineApi; readonly capabilities: Capabilities },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const allocated = await allocatedBytes(vm, site, signal);
  return new Map(
    disks.map(({ id, format, logicalBytes }) => {
      if (format === "raw") return [id, logicalBytes];
      const data = Math.min(logicalBytes, allocated.get(id) ?? logicalBytes);
      return [id, data + Math.ceil(logicalBytes * TABLES) + MIB];
    }),
  );
}

/** Bytes of all layers of each disk, where the engine tells them. */
async function allocatedBytes(
  vm: VirtualMachine,
  { api, capabilities }: { readonly api: EngineApi; readonly capabilities: Capabilities },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const bytes = new Map(
    vm.disks.flatMap(({ id, actualBytes }) => (actualBytes === undefined ? [] : [[id, actualBytes]])),
  );
  // Since 4.2 the size of a disk is that of all its layers; before, that of the active one.
  if (capabilities.follow) return bytes;
  // The lowest layer belongs to the template, and no snapshot shows it.
  if ((vmAttributes(vm).templateId ?? BLANK_TEMPLATE) !== BLANK_TEMPLATE) return new Map();
  for (const { id: snapshotId, type } of await api.snapshots.list(vm.id, signal)) {
    if (type === "active") continue;
    for (const { id, actualBytes = 0 } of await api.vms.snapshotDisks(vm.id, snapshotId, signal)) {
      const above = bytes.get(id);
      if (above !== undefined) bytes.set(id, above + actualBytes);
    }
  }
  return bytes;
}
