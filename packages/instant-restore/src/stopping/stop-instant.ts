import { observe, type RunContext } from "@ovault/contract";
import type { OvirtManager } from "@ovault/ovirt";

import { disksOn } from "../domain/remove-domain.ts";
import { retireDomain } from "../domain/retire-domain.ts";
import type { InstantMachine } from "../instant-machine.ts";
import { removeMachine } from "./remove-machine.ts";

export const INSTANT_MACHINE = "instant-machine";

export interface StopOptions {
  /** How long the guest may take to power off by itself. */
  readonly patienceMs: number;
}

/**
 * Removes a machine that runs from a point, with its disks, wherever they are, and its storage domain, unless other disks
 * lie there. What was removed before is no error; a killed run is finished by the leftovers of its ledger. The share must
 * answer until this resolves, or the engine forgets the domain only after a while.
 *
 * @returns whether the domain is gone, so that nothing on the engine uses the share any more
 */
export async function stopInstant(
  manager: OvirtManager,
  { vmId, name, disks, domain }: InstantMachine,
  { patienceMs }: StopOptions,
  context: RunContext,
): Promise<boolean> {
  const { ledger, signal, hooks, runId } = context;
  const api = manager.apiFor(runId, hooks);
  const diskIds = disks.map(({ id }) => id);
  const title = `virtual machine ${name} of an instant restore`;
  const handle = await ledger.open({ kind: INSTANT_MACHINE, title, detail: { vmId, name, diskIds } });
  observe(hooks.phase, { phase: "stop", detail: name });
  const lying = await disksOn(api, domain.id, signal);
  const goesToo = lying.every(({ id }) => diskIds.includes(id));
  // With the domain its disks leave the engine, also where no host reaches the share any more.
  const isOnShare = (id: string): boolean => lying.some((disk) => disk.id === id);
  const alone = goesToo ? diskIds.filter((id) => !isOnShare(id)) : diskIds;
  await removeMachine(api, { vmId, name, diskIds: alone, patienceMs }, signal);
  if (goesToo) await retireDomain(api, { ...domain, expendable: diskIds }, context);
  await handle.close();
  return goesToo;
}
