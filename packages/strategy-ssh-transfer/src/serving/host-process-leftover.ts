import { z } from "zod";

import type { LeftoverKind } from "@ovault/ovirt";

import type { Credentials } from "../hosts/credentials.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { leftoverOnHost } from "../hosts/leftover-on-host.ts";
import { endHostProcess, findHostProcess } from "./host-process.ts";

const detailSchema = z.object({ hostId: z.string(), name: z.string().regex(/^ovault-[0-9a-f-]{36}$/) });

/** Processes that a dead run left on hosts. Out of reach, they end by their time limit. */
export function hostProcessKind(credentials: Credentials): LeftoverKind {
  return {
    before: ["active-volumes", "snapshot", "disk"],
    lookUp: async (api, entry, signal) => {
      const { hostId, name } = detailSchema.parse(entry.detail);
      const process = {
        hostId,
        remedy: "end the",
        find: (hypervisor: Hypervisor, until: AbortSignal) => findHostProcess(hypervisor, name, until),
        remove: (hypervisor: Hypervisor, until: AbortSignal) => endHostProcess(hypervisor, name, until),
      };
      return await leftoverOnHost(entry, process, { api, credentials }, signal);
    },
  };
}
