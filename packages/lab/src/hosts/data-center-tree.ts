import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";

import type { StorageDomain } from "../engine/engine-state.ts";
import { isBlock } from "../engine/inventory.ts";

/** Name that vdsm gives the mount of `127.0.0.1:/lab`. */
const MOUNT = join("mnt", "127.0.0.1:_lab");

/**
 * Shows hosts the storage as vdsm does at /rhev/data-center: `mnt/MOUNT/DOMAIN`, and `DATA_CENTER/DOMAIN` as a link to
 * it. Block storage is not there: its volumes are no files. Replaces what an earlier start made.
 */
export async function makeDataCenterTree(
  directory: string,
  storage: string,
  domains: readonly StorageDomain[],
): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(join(directory, MOUNT), { recursive: true, mode: 0o700 });
  for (const { id, dataCenterId } of domains.filter((one) => !isBlock(one))) {
    const domain = join(storage, id);
    await mkdir(join(domain, "images"), { recursive: true, mode: 0o700 });
    await symlink(domain, join(directory, MOUNT, id));
    await mkdir(join(directory, dataCenterId), { recursive: true, mode: 0o700 });
    await symlink(join("..", MOUNT, id), join(directory, dataCenterId, id));
  }
}
