import type { NbdExport } from "./hypervisor.ts";
import type { StorageDaemon } from "./storage-daemon.ts";

export interface AddExport {
  readonly node: string;
  /** Name of the export, unique in its process. */
  readonly name: string;
  readonly writable: boolean;
  /** Offers `qemu:allocation-depth`. */
  readonly allocationDepth?: boolean;
  /** Offers `qemu:dirty-bitmap:NAME`. */
  readonly bitmap?: string;
}

/** Serves a block node over NBD; offers `base:allocation` always. */
export async function addExport(daemon: StorageDaemon, request: AddExport): Promise<NbdExport> {
  await daemon.qmp.execute("block-export-add", {
    type: "nbd",
    id: exportId(request.name),
    name: request.name,
    "node-name": request.node,
    writable: request.writable,
    ...(request.allocationDepth && { "allocation-depth": true }),
    ...(request.bitmap !== undefined && { bitmaps: [request.bitmap] }),
  });
  return { path: daemon.nbdPath, exportName: request.name };
}

/** Ends an export, cutting off clients that are still connected. */
export async function removeExport(daemon: StorageDaemon, name: string): Promise<void> {
  const id = exportId(name);
  const gone = daemon.qmp.nextEvent(({ event, data }) => event === "BLOCK_EXPORT_DELETED" && data["id"] === id);
  await daemon.qmp.execute("block-export-del", { id, mode: "hard" });
  await gone;
}

/** QEMU wants ids to start with a letter, which a name made of a UUID may not. */
function exportId(name: string): string {
  return `export-${name}`;
}
