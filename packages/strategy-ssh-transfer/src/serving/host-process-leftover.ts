import { z } from "zod";

import type { LeftoverKind } from "@ovault/ovirt";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import { leftoverOnHost, type LookUpSite } from "../hosts/leftover-on-host.ts";
import { endHostProcess, findHostProcess, PROCESS_ORDER } from "./host-process.ts";

const detailSchema = z.object({ hostId: z.string(), name: z.string().regex(/^ovault-[0-9a-f-]{36}$/) });

/** Processes that a dead run left on hosts. */
export function hostProcessKind(site: Omit<LookUpSite, "api">): LeftoverKind {
  return {
    ...PROCESS_ORDER,
    lookUp: async (api, entry, signal) => {
      const { hostId, name } = detailSchema.parse(entry.detail);
      const process = {
        hostId,
        remedy: "end the",
        find: (hypervisor: Hypervisor, until: AbortSignal) => findHostProcess(hypervisor, name, until),
        remove: (hypervisor: Hypervisor, until: AbortSignal) => endHostProcess(hypervisor, name, until),
      };
      return await leftoverOnHost(entry, process, { api, ...site }, signal);
    },
  };
}
