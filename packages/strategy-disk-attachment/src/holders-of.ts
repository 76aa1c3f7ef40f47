import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { systemErrorCode } from "@ovault/contract";

/**
 * What on this machine uses a block device or one of its partitions: LVM, multipath, RAID. Excludes mounts and swap.
 *
 * @param sysfs the device's directory there
 */
export async function holdersOf(sysfs: string): Promise<readonly string[]> {
  const entries = await readdir(sysfs, { withFileTypes: true });
  const partitions = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(sysfs, name, "holders"));
  const found = await Promise.all([join(sysfs, "holders"), ...partitions].map(namesIn));
  return [...new Set(found.flat())];
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
}
