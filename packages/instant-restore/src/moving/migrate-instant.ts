import { inLanes, observe, UsageError, type RunContext } from "@ovault/contract";
import type { EngineApi, OvirtManager, StorageDomain } from "@ovault/ovirt";

import { disksOn } from "../domain/remove-domain.ts";
import { retireDomain } from "../domain/retire-domain.ts";
import type { InstantMachine } from "../instant-machine.ts";
import { removeLiveSnapshots } from "./live-snapshots.ts";
import { moveDisk, settledDisk } from "./move-disk.ts";

export interface MigrationOptions {
  /** Name or id of a data domain. */
  readonly to: string;
  /** Moves that the engine is asked for at once; those of one machine run one after the other. */
  readonly concurrent?: number;
}

/**
 * Moves every disk of a machine from its share to a storage domain, live while it runs, and removes the share's domain
 * from the engine, unless other disks lie there. Goes on where an earlier run ended, however that was.
 *
 * @returns whether the domain is gone, so that nothing on the engine uses the share any more
 * @throws UsageError for a target that takes no disks, MoveFailedError
 */
export async function migrateInstant(
  manager: OvirtManager,
  { vmId, name, domain }: InstantMachine,
  { to, concurrent = 1 }: MigrationOptions,
  context: RunContext,
): Promise<boolean> {
  const { signal, hooks, runId } = context;
  const api = manager.apiFor(runId, hooks);
  const target = await findTarget(api, to, domain, signal);
  const own = await disksOf(api, { vmId, name }, signal);
  const lying = (await disksOn(api, domain.id, signal)).filter(({ id }) => own.has(id));
  for (const disk of lying) await settledDisk(api, disk, signal);
  // Chains that failed moves left must not grow.
  await removeLiveSnapshots(api, vmId, signal);
  await inLanes(
    lying,
    concurrent,
    async (disk, laneSignal) => {
      observe(hooks.phase, { phase: "move", detail: `${disk.alias} to ${target.name}` });
      await moveDisk(api, disk, target, laneSignal);
    },
    signal,
  );
  await removeLiveSnapshots(api, vmId, signal);
  if ((await disksOn(api, domain.id, signal)).length > 0) return false;
  await retireDomain(api, domain, context);
  return true;
}

/** @throws UsageError */
async function findTarget(
  api: EngineApi,
  to: string,
  { id: shareId, dataCenterId }: InstantMachine["domain"],
  signal: AbortSignal,
): Promise<StorageDomain> {
  const all = await api.infrastructure.attachedStorageDomains(dataCenterId, signal);
  const usable = all.filter(
    ({ id, type, status, backup }) => id !== shareId && type === "data" && status === "active" && !backup,
  );
  const isWanted = ({ id, name }: StorageDomain): boolean => id === to || name === to;
  const target = usable.find(isWanted);
  if (target !== undefined) return target;
  const found = all.find(isWanted);
  const why =
    found === undefined
      ? "is not in this data center"
      : `takes no running machine (${found.type ?? "unknown type"}, ${found.backup ? "for backups" : (found.status ?? "no status")})`;
  const names = usable.map(({ name }) => name).join(", ");
  throw new UsageError(`storage domain ${to} ${why}`, {
    hint: (field) => `Pass ${field("to", "SD")} with one of: ${names === "" ? "(none)" : names}.`,
  });
}

/** @throws UsageError when the machine is gone */
async function disksOf(
  api: EngineApi,
  { vmId, name }: Pick<InstantMachine, "vmId" | "name">,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if ((await api.vms.find(vmId, signal)) === undefined) {
    throw new UsageError(`virtual machine ${name} is gone from the engine`, {
      context: { vm: vmId },
      hint: "Stop the instant restore: that removes what is left of it.",
    });
  }
  return new Set((await api.vms.diskAttachments(vmId, false, signal)).map(({ diskId }) => diskId));
}
