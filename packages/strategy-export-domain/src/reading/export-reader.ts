import type { VolumeReader } from "@ovault/ovirt";

import type { ExportDomainOptions } from "../options.ts";
import { findCloneDomain } from "../room/assert-room.ts";
import { ExportSites } from "../site/export-sites.ts";
import { openStaging } from "../staging/open-staging.ts";
import { ExportReading } from "./export-reading.ts";

/** Reads snapshots from the export of their clones, in a turn. @param options with absolute folders */
export function exportReader(options: ExportDomainOptions): VolumeReader {
  return {
    increments: "an export holds whole disks",
    readsChains: () => true,

    async prepare(request, { api, context }) {
      const { signal } = context;
      const site = (await ExportSites.read(api, options, signal)).require(request.vm.cluster);
      const domains = await api.infrastructure.attachedStorageDomains(site.dataCenter.id, signal);
      const cloneDomain = findCloneDomain(options.cloneDomain, domains);
      const domain = await openStaging(site.place.folder, site.storageDomain.id);
      return new ExportReading({ request, api, context, options, site, domain, cloneDomain });
    },
  };
}
