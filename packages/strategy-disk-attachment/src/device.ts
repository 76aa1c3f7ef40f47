import { readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

import { blockNumber } from "./block-number.ts";
import { DeviceError } from "./errors.ts";

const SECTOR_BYTES = 512;

/** The target of a name in the device directory. */
export interface Device {
  /** The resolved path. */
  readonly path: string;
  readonly bytes: number;
  /** Its directory in sysfs; undefined for a regular file, as in a lab. */
  readonly sysfs: string | undefined;
}

/**
 * Inspects a device. Takes its size from the kernel, because seeking to its end would require opening it.
 *
 * @throws DeviceError when it is neither a block device nor a file. @throws system errors (`ENOENT`…)
 */
export async function lookAtDevice(name: string): Promise<Device> {
  const path = await realpath(name);
  const found = await stat(path, { bigint: true });
  if (found.isFile()) return { path, bytes: Number(found.size), sysfs: undefined };
  if (!found.isBlockDevice()) {
    throw new DeviceError(`${name} is neither a block device nor a file`, { context: { path } });
  }
  const sysfs = join("/sys/dev/block", blockNumber(found.rdev));
  const sectors = Number(await readFile(join(sysfs, "size"), "utf8"));
  return { path, bytes: sectors * SECTOR_BYTES, sysfs };
}
