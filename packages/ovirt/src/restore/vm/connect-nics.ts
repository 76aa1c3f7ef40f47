import type { RestoreRequest } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import type { Nic } from "../../model/nic.ts";
import type { MappedNic } from "../design/map-nics.ts";
import { refusalOf } from "../../engine/refusal-of.ts";

/**
 * Creates the network cards of the point on a restored machine, with the profiles they are mapped to.
 *
 * @returns what differs from the point, for people
 */
export async function connectNics(
  api: EngineApi,
  vmId: string,
  nics: readonly MappedNic[],
  mac: RestoreRequest["mac"],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const there = await api.vms.nics(vmId, signal);
  const changes: string[] = [];
  for (const { nic, profileId } of nics) {
    const { name, linked, plugged } = nic;
    const change = {
      vnicProfileId: profileId ?? "",
      linked,
      plugged,
      ...(mac === "keep" && nic.mac !== undefined ? { mac: nic.mac } : {}),
    };
    const existing = there.find((one) => one.name === name);
    const type =
      nic.interface === undefined || nic.interface === existing?.interface ? {} : { interface: nic.interface };
    const { id } =
      existing === undefined
        ? await api.vms.addNic(vmId, { ...change, name, ...type }, signal)
        : await api.vms.updateNic(vmId, existing.id, { ...change, ...type }, signal);
    for (const filter of nic.filters) {
      const has = existing?.filters.some((one) => one.name === filter.name && one.value === filter.value) ?? false;
      const refusal = has ? undefined : await refusalOf(api.vms.addNicFilter(vmId, id, filter, signal));
      if (refusal !== undefined)
        changes.push(`network card ${name} lacks the filter parameter ${filter.name}: ${refusal}`);
    }
  }
  if (nics.length === 0) return changes;
  const now = await api.vms.nics(vmId, signal);
  return [...changes, ...nics.flatMap((wanted) => differences(wanted, now, mac))];
}

function differences(
  { nic, profileId }: MappedNic,
  now: readonly Nic[],
  mac: RestoreRequest["mac"],
): readonly string[] {
  const is = now.find(({ name }) => name === nic.name);
  if (is === undefined) return [`the new machine has no network card ${nic.name}`];
  const differing = [
    nic.interface !== undefined &&
      nic.interface !== is.interface &&
      `it is a ${is.interface} and was a ${nic.interface}`,
    is.vnicProfileId !== profileId && "its profile is another one",
    is.linked !== nic.linked && `it is ${is.linked ? "linked" : "not linked"}`,
    is.plugged !== nic.plugged && `it is ${is.plugged ? "plugged in" : "not plugged in"}`,
    mac === "keep" &&
      nic.mac !== undefined &&
      nic.mac.toLowerCase() !== is.mac?.toLowerCase() &&
      `its address is ${is.mac}`,
  ].filter((text) => text !== false);
  return differing.length === 0 ? [] : [`network card ${nic.name} is not as it was: ${differing.join(", ")}`];
}
