import { messageOf, observe, plural, type RestoreRequest, type RunContext } from "@ovault/contract";
import {
  dropDisk,
  NOTHING_TO_FILL,
  OvirtRestoreSession,
  undo,
  type EngineApi,
  type MadeDisk,
  type OvirtManager,
} from "@ovault/ovirt";

import { makeDomain, type DomainWish, type MadeDomain } from "../domain/make-domain.ts";
import { removeDomain } from "../domain/remove-domain.ts";
import type { InstantMachine } from "../instant-machine.ts";
import { planVolumes, type PlannedVolume } from "../volumes/plan-volumes.ts";
import { designInstant, type InstantDesign } from "./design-instant.ts";
import { registerDisk } from "./register-disk.ts";

export interface InstantWish extends DomainWish {
  /** Shows these volumes in the share, metadata last. The domain is active then. */
  readonly putVolumes: (volumes: readonly PlannedVolume[], signal: AbortSignal) => Promise<void>;
  /**
   * Notes durably what has been made, before the ledger forgets it: from then on its owner removes it, by
   * `stopInstant`. When the restore fails after it, what it made is removed all the same.
   */
  readonly keep: (machine: InstantMachine) => Promise<void>;
}

/**
 * Makes a machine that runs from a point: a storage domain on the share, its volumes, their registration, the machine
 * from the configuration of the point. The share must answer before this is called. A killed run is undone by the
 * leftovers of its ledger: machine, disks, domain. Cleans up before it throws, as far as possible; the share and its
 * volumes are the caller's.
 *
 * @throws what the engine refuses, with its words
 */
export async function restoreInstantly(
  manager: OvirtManager,
  request: RestoreRequest,
  wish: InstantWish,
  context: RunContext,
): Promise<InstantMachine> {
  const { signal, hooks, runId } = context;
  const api = manager.apiFor(runId, hooks);
  const design = await designInstant(manager, request, wish, signal, api);
  for (const warning of design.warnings) observe(hooks.warning, warning);
  const made = await makeDomain(api, design.site, wish, context);
  try {
    return await restoreOn(made, { api, design, request, wish }, context);
  } catch (error) {
    if (made.handle !== undefined) {
      const obstacle = await undo(made.handle, () => removeDomain(api, made.domain));
      if (obstacle !== undefined) {
        observe(hooks.warning, `${made.handle.entry.title} could not be removed: ${messageOf(obstacle)}`);
      }
    }
    throw error;
  }
}

interface Restoring {
  readonly api: EngineApi;
  readonly design: InstantDesign;
  readonly request: RestoreRequest;
  readonly wish: InstantWish;
}

async function restoreOn(
  { domain, handle }: MadeDomain,
  { api, design, request, wish }: Restoring,
  context: RunContext,
): Promise<InstantMachine> {
  const { signal, hooks } = context;
  const placed = design.disks.map((disk) => ({ ...disk, domain: { ...disk.domain, id: domain.id } }));
  const planned = placed.map(({ record, layout }) => ({ ...record.disk, format: layout.format }));
  const volumes = planVolumes(domain, planned, new Date());
  observe(hooks.phase, { phase: "open", detail: `registering ${plural(volumes.length, "disk")}` });
  await wish.putVolumes(volumes, signal);
  const disks: MadeDisk[] = [];
  let session: OvirtRestoreSession | undefined;
  try {
    for (const [index, disk] of placed.entries()) {
      const volume = volumes[index];
      if (volume !== undefined) disks.push(await registerDisk(api, disk, volume, context));
    }
    let machine: InstantMachine | undefined;
    const beforeHandOver = async (vm: { readonly id: string; readonly name: string }): Promise<void> => {
      machine = {
        vmId: vm.id,
        name: vm.name,
        domain,
        disks: volumes.map(({ from, diskId, volumeId }) => ({ from, id: diskId, volumeId })),
      };
      await wish.keep(machine);
      await handle?.close();
    };
    const filling = NOTHING_TO_FILL;
    session = new OvirtRestoreSession(
      { api, request, design: { ...design, disks: placed }, disks, filling, leftovers: {}, beforeHandOver },
      context,
    );
    await session.commit();
    if (machine === undefined) throw new TypeError("a restore ended without handing its machine over");
    return machine;
  } catch (error) {
    if (session === undefined) {
      for (const disk of disks) await dropDisk(api, disk, { ...context, leftovers: {} });
    } else await session.abort();
    throw error;
  }
}
