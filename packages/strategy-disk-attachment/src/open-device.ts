import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

import { systemErrorCode } from "@ovault/contract";

import type { Device } from "./device.ts";
import { DeviceError } from "./errors.ts";
import { holdersOf } from "./holders-of.ts";

/**
 * Opens a device exclusively: while it is open, this machine cannot mount it, or build LVM, multipath or RAID on it or
 * its partitions. Refuses a device that is already in use like that.
 *
 * @throws DeviceError
 */
export async function openDevice(device: Device, access: "read" | "write"): Promise<FileHandle> {
  const flags = access === "read" ? constants.O_RDONLY : constants.O_RDWR;
  try {
    // Without O_CREAT, O_EXCL has a meaning only for block devices.
    return await open(device.path, flags | constants.O_EXCL);
  } catch (error) {
    if (systemErrorCode(error) === "EBUSY") throw await inUse(device, error);
    throw new DeviceError(`${device.path} cannot be opened: ${String(error)}`, {
      cause: error,
      context: { device: device.path },
      hint: "ovault needs root, or membership of the group that owns the device (`disk`).",
    });
  }
}

async function inUse({ path, sysfs }: Device, cause: unknown): Promise<DeviceError> {
  const holders = sysfs === undefined ? [] : await holdersOf(sysfs).catch(() => []);
  const by = holders.length === 0 ? "a mount or another program" : holders.join(", ");
  return new DeviceError(`${path} is in use on this machine, by ${by}: its content may be changing`, {
    cause,
    context: { device: path, holders: by },
    hint:
      "LVM, multipath or an automounter of this machine took what belongs to a guest. `ovault doctor` says which settings " +
      "keep LVM off.",
  });
}
