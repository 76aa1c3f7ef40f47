import type { VolumeReader } from "@ovault/ovirt";

import type { ExportDomainOptions } from "../options.ts";
import { assertRoomForClones, assertRoomInFolder, findCloneDomain, total } from "../room/assert-room.ts";
import { copySizes } from "../room/copy-sizes.ts";
import { assertOursAlone } from "../room/staging-slot.ts";
import { ExportSites } from "../site/export-sites.ts";
import { openStaging } from "../staging/open-staging.ts";
import { proveSite } from "../staging/prove-site.ts";
import { ExportReading } from "./export-reading.ts";
import { assertDistinct } from "./match-copies.ts";

/** Reads snapshots from the export of their clones. @param options with absolute folders */
export function exportReader(options: ExportDomainOptions): VolumeReader {
  return {
    increments: "an export holds whole disks",
    readsChains: () => true,

    async prepare(request, { api, capabilities, context }) {
      const { vm, disks } = request;
      const { signal } = context;
      assertDistinct(disks);
      // The assessment may be outdated.
      const site = (await ExportSites.read(api, options, signal)).require(vm.cluster);
      await assertOursAlone(options);
      await proveSite(site.storageDomain, site.place.folder, signal);
      const [sizes, domains] = await Promise.all([
        copySizes(request, { api, capabilities }, signal),
        api.infrastructure.attachedStorageDomains(site.dataCenter.id, signal),
      ]);
      const cloneDomain = findCloneDomain(options.cloneDomain, domains);
      assertRoomForClones({ disks, sizes, domains, cloneDomain });
      const bytes = total(disks, sizes);
      await assertRoomInFolder(site.place, bytes);
      const domain = await openStaging(site.place.folder, site.storageDomain.id);
      return new ExportReading({ request, api, context, options, site, domain, cloneDomain, bytes });
    },
  };
}
