import type { EngineApi } from "../engine-api.ts";
import type { Route } from "../http/router.ts";
import { apiRootRoutes } from "./api-root.ts";
import { backupRoutes } from "./backups.ts";
import { checkpointRoutes } from "./checkpoints.ts";
import { consoleRoutes } from "./consoles.ts";
import { permissionRoutes } from "./permissions.ts";
import { diskAttachmentRoutes } from "./disk-attachments.ts";
import { diskSnapshotRoutes } from "./disk-snapshots.ts";
import { exportDomainRoutes } from "./export-domains.ts";
import { diskRoutes } from "./disks.ts";
import { imageTransferRoutes } from "./image-transfers.ts";
import { inventoryRoutes } from "./inventory.ts";
import { jobAndEventRoutes } from "./jobs-and-events.ts";
import { numaNodeRoutes } from "./numa-nodes.ts";
import { nicRoutes } from "./nics.ts";
import { snapshotRoutes } from "./snapshots.ts";
import { tagRoutes } from "./tags.ts";
import { vmRoutes } from "./vms.ts";

/** All routes of the API. */
export function routes(api: EngineApi): readonly Route[] {
  return [
    ...apiRootRoutes(api),
    ...exportDomainRoutes(api),
    ...inventoryRoutes(api),
    ...vmRoutes(api),
    ...tagRoutes(api),
    ...consoleRoutes(api),
    ...permissionRoutes(api),
    ...diskAttachmentRoutes(api),
    ...nicRoutes(api),
    ...numaNodeRoutes(api),
    ...snapshotRoutes(api),
    ...backupRoutes(api),
    ...checkpointRoutes(api),
    ...diskRoutes(api),
    ...diskSnapshotRoutes(api),
    ...imageTransferRoutes(api),
    ...jobAndEventRoutes(api),
  ];
}
