import { readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

import { blockNumber } from "./block-number.ts";
import { DeviceError } from "./errors.ts";

const SECTOR_BYTES = 512;

/** What a name in the device directory stands for. */
export interface Device {
  /** Where the name leads. */
  readonly path: string;
  readonly bytes: number;
  /** Its directory in sysfs; undefined for a regular file, which is what a lab shows. */
  readonly sysfs: string | undefined;
}

/**
 * Looks at a device. Its size is the kernel's word: to ask for the end of a device one would have to open it.
 *
 * @throws DeviceError when it is neither a block device nor a file. @throws what the system throws (`ENOENT`…)
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
