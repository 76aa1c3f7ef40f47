import type { RestoreRequest } from "@ovault/core";

import type { EngineApi } from "../api/engine-api.ts";
import { EngineConflictError, EngineUnavailableError } from "../engine/errors.ts";
import { arrived, pending } from "../engine/wait.ts";
import type { Polled } from "../engine/wait.ts";
import type { Vm } from "../model/vm.ts";
import { rewriteOvf } from "../ovf/rewrite-ovf.ts";
import { hasTag, withTag } from "../run-tag.ts";
import { attachDisks } from "./attach-disks.ts";
import type { MadeDisk } from "./make-disk.ts";
import type { MappedNic } from "./map-nics.ts";
import type { RestoreDesign } from "./restore-design.ts";

const CONFLICT_DEADLINE_MS = 5 * 60_000;
const CREATE_DEADLINE_MS = 30 * 60_000;
const START_DEADLINE_MS = 10 * 60_000;

/**
 * Makes the virtual machine from the point's configuration, without disks: the engine attaches those of an OVF only as
 * well as it can and tells nobody. Ids and addresses are new. The name was free a moment ago: a conflict without a
 * machine of that name passes, and a machine of that name after an answer that was lost is this one.
 */
export async function createVm(
  api: EngineApi,
  design: RestoreDesign,
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
      if (!lost && !(error instanceof EngineConflictError)) throw error;
      const found = await api.vms.byName(name, pollSignal);
      if (lost && found !== undefined) return arrived(found);
      if (lost || found !== undefined) throw error;
      return pending(error.message);
    }
  };
  return await api.wait(`the engine to make ${name}`, attempt, { deadlineMs: CONFLICT_DEADLINE_MS, signal });
}

/**
 * Waits until the machine is made, and gives it its network cards, its disks and its description.
 *
 * @returns what is not as it was, for people
 */
export async function completeVm(
  api: EngineApi,
  vmId: string,
  parts: {
    readonly design: RestoreDesign;
    readonly disks: readonly MadeDisk[];
    readonly mac: RestoreRequest["mac"];
    readonly tag: string;
  },
  signal: AbortSignal,
): Promise<readonly string[]> {
  await api.wait(
    `virtual machine ${vmId} to be made`,
    async (pollSignal) => {
      const { status } = await api.vms.get(vmId, {}, pollSignal);
      return status === "down" ? arrived(undefined) : pending(status);
    },
    { deadlineMs: CREATE_DEADLINE_MS, signal },
  );
  const { description } = await api.vms.get(vmId, {}, signal);
  if (!hasTag(description, parts.tag)) await api.vms.describe(vmId, withTag(description, parts.tag), signal);
  await connectNics(api, vmId, parts.design.nics, parts.mac, signal);
  return await attachDisks(api, vmId, parts.disks, signal);
}

/** Starts the machine, and waits until the engine has done so. */
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

async function connectNics(
  api: EngineApi,
  vmId: string,
  nics: readonly MappedNic[],
  mac: RestoreRequest["mac"],
  signal: AbortSignal,
): Promise<void> {
  const there = await api.vms.nics(vmId, signal);
  for (const { nic, profileId } of nics) {
    const { name, linked, plugged } = nic;
    const change = {
      vnicProfileId: profileId ?? "",
      linked,
      plugged,
      ...(mac === "keep" && nic.mac !== undefined ? { mac: nic.mac } : {}),
    };
    const existing = there.find((one) => one.name === name);
    const type = nic.interface === undefined ? {} : { interface: nic.interface };
    if (existing === undefined) await api.vms.addNic(vmId, { ...change, name, ...type }, signal);
    else await api.vms.updateNic(vmId, existing.id, change, signal);
  }
}
