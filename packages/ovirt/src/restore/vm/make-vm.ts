import type { RecoveryPoint, RestoreRequest } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import { EngineConflictError, EngineUnavailableError } from "../../engine/errors.ts";
import { arrived, pending, type Polled } from "../../engine/wait.ts";
import { writable } from "../../engine/xml-references.ts";
import type { Vm } from "../../model/vm.ts";
import { rewriteOvf } from "../../ovf/rewrite-ovf.ts";
import type { OvfDescription } from "../../ovf/read-ovf.ts";
import { hasTag, withoutTags, withTag } from "../../traces/run-tag.ts";
import { attachDisks } from "./attach-disks.ts";
import { connectNics } from "./connect-nics.ts";
import { giveBack } from "./give-back.ts";
import type { MadeDisk } from "../disks/make-disk.ts";
import { refusalOf } from "../../engine/refusal-of.ts";
import { restoreDiskSettings } from "./restore-disk-settings.ts";
import type { RestoreDesign } from "../design/restore-design.ts";
import { restoreSettings } from "./restore-settings.ts";

const CONFLICT_DEADLINE_MS = 5 * 60_000;
const CREATE_DEADLINE_MS = 30 * 60_000;
const START_DEADLINE_MS = 10 * 60_000;

/**
 * Makes the virtual machine from the point's configuration, without disks: the engine attaches those of an OVF
 * unreliably and reports failures only as events. Ids and addresses are new. The name was free a moment ago: a conflict
 * without a machine of that name is temporary, and after a lost answer a machine of that name with our tag is this one.
 */
export async function createVm(
  api: EngineApi,
  design: Pick<RestoreDesign, "ovf"> & { readonly cluster: Pick<RestoreDesign["cluster"], "id"> },
  { name, tag }: { readonly name: string; readonly tag: string },
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  const ovf = rewriteOvf(design.ovf, { name, disks: new Map(), mac: "drop", tag });
  const request = { name, clusterId: design.cluster.id, ovf, regenerateIds: true };
  const attempt = async (pollSignal: AbortSignal): Promise<Polled<Vm>> => {
    try {
      return arrived(await api.vms.createFromOvf(request, pollSignal));
    } catch (error) {
      const lost = error instanceof EngineUnavailableError && error.sent;
      const passes = error instanceof EngineConflictError && error.retry === "transient";
      if (!lost && !passes) throw error;
      const found = await api.vms.byName(name, pollSignal);
      if (lost && found !== undefined && hasTag(found.description, tag)) return arrived(found);
      if (lost || found !== undefined) throw error;
      return pending(error.message);
    }
  };
  return await api.wait(`the engine to make ${name}`, attempt, { deadlineMs: CONFLICT_DEADLINE_MS, signal });
}

/**
 * Waits until the machine is made, and applies the point's network cards, disks, settings, tags, permissions and
 * affinity. Its description carries the run's tag until `releaseVm`.
 *
 * @returns what differs from the point, for people
 */
export async function completeVm(
  api: EngineApi,
  vmId: string,
  parts: {
    readonly design: RestoreDesign;
    readonly disks: readonly MadeDisk[];
    readonly request: RestoreRequest;
    readonly tag: string;
  },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { design, disks, request, tag } = parts;
  await api.wait(
    `virtual machine ${vmId} to be made`,
    async (pollSignal) => {
      const { status } = await api.vms.get(vmId, {}, pollSignal);
      return status === "down" ? arrived(undefined) : pending(status);
    },
    { deadlineMs: CREATE_DEADLINE_MS, signal },
  );
  const { description } = await api.vms.get(vmId, {}, signal);
  if (!hasTag(description, tag)) await api.vms.update(vmId, { description: withTag(description, tag) }, signal);
  const { point } = request;
  const clusterId = design.cluster.id;
  return [
    ...(await connectNics(api, vmId, design.nics, request.mac, signal)),
    ...(await attachDisks(api, vmId, disks, signal)),
    ...(await restoreDiskSettings(api, vmId, disks, signal)),
    ...(await restoreSettings(api, { vmId, saved: design.settings, ignored: bound(point, clusterId) }, signal)),
    ...(await giveBack(api, { vmId, clusterId, tags: point.vm.tags ?? [], belongings: design.belongings }, signal)),
  ];
}

/** Settings that depend on the cluster differ in another one. */
function bound({ vm }: RecoveryPoint, clusterId: string): ReadonlySet<string> {
  return new Set(vm.cluster?.id === clusterId ? [] : ["cpu_profile", "quota"]);
}

/**
 * The last change to a restored machine: replaces the run's tag by the original description, and restores delete
 * protection. Until then a failed restore can remove the machine.
 *
 * @returns what the engine refused, for people
 */
export async function releaseVm(
  api: EngineApi,
  vmId: string,
  { description, deleteProtected }: Pick<OvfDescription, "description" | "deleteProtected">,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const change = { description: writable(withoutTags(description)), ...(deleteProtected ? { deleteProtected } : {}) };
  const refusal = await refusalOf(api.vms.update(vmId, change, signal));
  if (refusal === undefined) return [];
  const what = `the description of the new machine${deleteProtected ? " and its delete protection" : ""}`;
  return [`${what} could not be set: ${refusal}`];
}

/** Starts the machine, and waits until the engine reports it as started. */
export async function startVm(api: EngineApi, vmId: string, signal: AbortSignal): Promise<void> {
  await api.vms.start(vmId, signal);
  await api.wait(
    `virtual machine ${vmId} to start`,
    async (pollSignal) => {
      const { status } = await api.vms.get(vmId, {}, pollSignal);
      return status === "up" || status === "powering_up" ? arrived(undefined) : pending(status);
    },
    { deadlineMs: START_DEADLINE_MS, signal },
  );
}
