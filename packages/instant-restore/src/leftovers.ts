import type { LeftoverOwner } from "@ovault/contract";
import { lookUpLeftovers, type LeftoverKinds, type OvirtManager } from "@ovault/ovirt";

import { domainLeftover } from "./domain/domain-leftover.ts";
import { STORAGE_DOMAIN } from "./domain/make-domain.ts";
import { machineLeftover } from "./stopping/machine-leftover.ts";
import { INSTANT_MACHINE } from "./stopping/stop-instant.ts";

/** The `strategy` of ledger entries of instant restores, their moves and their ends. */
export const INSTANT_RESTORE = "instant-restore";

const OWN_LEFTOVERS: LeftoverKinds = {
  [INSTANT_MACHINE]: { lookUp: machineLeftover, before: ["disk", STORAGE_DOMAIN] },
  [STORAGE_DOMAIN]: { lookUp: domainLeftover, before: [] },
};

/** Removes what dead runs of instant restores left on one engine. */
export function instantLeftovers(manager: OvirtManager): LeftoverOwner {
  return {
    name: INSTANT_RESTORE,
    leftovers: async (entries, signal, onWait) => {
      const end = new AbortController();
      const found = await lookUpLeftovers(manager.apiToCleanUp(onWait, end.signal), entries, OWN_LEFTOVERS, signal);
      return found.map((leftover) => ({
        ...leftover,
        remove: async (removal) => {
          removal.addEventListener("abort", () => end.abort(removal.reason), { once: true });
          await leftover.remove(removal);
        },
      }));
    },
  };
}
