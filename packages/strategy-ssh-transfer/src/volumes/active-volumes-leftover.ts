import { z } from "zod";

import type { LeftoverKind } from "@ovault/ovirt";

import { VolumeError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { leftoverOnHost, type LookUpSite } from "../hosts/leftover-on-host.ts";
import { deactivateVolumes, findActive } from "./deactivate-volumes.ts";
import { nameOf } from "./host-volumes.ts";
import { isVolumeId } from "./volume.ts";

const id = z.string().refine(isVolumeId);
const detailSchema = z.object({
  hostId: z.string(),
  volumes: z.array(z.object({ storageDomainId: id, diskId: id, volumeId: id })),
});

/** Volumes that a dead run activated on a host. Those that VDSM uses now are no leftovers any more. */
export function activeVolumesKind(site: Omit<LookUpSite, "api">): LeftoverKind {
  return {
    before: ["snapshot", "disk"],
    unseen: true,
    lookUp: async (api, entry, signal) => {
      const { hostId, volumes } = detailSchema.parse(entry.detail);
      const active = {
        hostId,
        remedy: "deactivate the",
        find: async (hypervisor: Hypervisor, until: AbortSignal) => {
          const { idle, open } = await findActive(hypervisor, volumes, until);
          return [...idle, ...open].map(nameOf);
        },
        remove: async (hypervisor: Hypervisor, until: AbortSignal) => {
          const open = await deactivateVolumes(hypervisor, volumes, until);
          if (open.length > 0) throw new VolumeError(`something has volume ${open.map(nameOf).join(", ")} open`);
        },
      };
      return await leftoverOnHost(entry, active, { api, ...site }, signal);
    },
  };
}
