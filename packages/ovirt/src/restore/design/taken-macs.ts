import { UsageError, type Wording } from "@ovault/contract";

import type { Vm } from "../../model/vm.ts";
import type { SavedNic } from "../../machine/vm-documents.ts";
import type { Obstacles } from "./obstacles.ts";

/** A valid address of a network card: not a group address. */
const UNICAST = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i;

const hint: Wording = (field) => `Pass ${field("mac", "new")} to give the restored machine addresses of its own.`;

/** Two machines with one address disturb each other's network, so the restore checks before it makes anything. */
export function refuseTakenMacs(nics: readonly SavedNic[], vms: readonly Vm[], obstacles: Obstacles): void {
  const owners = new Map(vms.flatMap((vm) => (vm.nics ?? []).map(({ mac }) => [mac?.toLowerCase(), vm.name] as const)));
  for (const { name, mac } of nics) if (mac !== undefined) obstacles.of(() => refuse(name, mac, owners));
}

function refuse(nic: string, mac: string, owners: ReadonlyMap<string | undefined, string>): void {
  if (!UNICAST.test(mac)) {
    throw new UsageError(`${JSON.stringify(mac)} of ${nic} is no address that a network card can have`, { hint });
  }
  const owner = owners.get(mac.toLowerCase());
  if (owner === undefined) return;
  throw new UsageError(`the address ${mac} of ${nic} is in use by the virtual machine ${owner}`, {
    context: { mac, owner },
    hint,
  });
}
