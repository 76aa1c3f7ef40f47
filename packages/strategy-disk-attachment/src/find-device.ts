import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";

import { systemErrorCode } from "@ovault/contract";

import { lookAtDevice, type Device } from "./device.ts";
import { deviceNames } from "./device-names.ts";
import { DeviceError } from "./errors.ts";
import { settle } from "./settle.ts";

const POLL_MS = 100;

export interface WantedDevice {
  /** Absolute. */
  readonly directory: string;
  readonly diskId: string;
  /** For people. */
  readonly alias: string;
  readonly timeoutMs: number;
}

/**
 * The device of a disk that the engine has just plugged in, as soon as it appears.
 *
 * @param bytes its exact size: any other is a different or incomplete disk
 * @throws DeviceError when it does not appear, or has another size
 */
export async function findDevice(wanted: WantedDevice, bytes: number, signal: AbortSignal): Promise<Device> {
  await settle(signal);
  const end = performance.now() + wanted.timeoutMs;
  for (;;) {
    const device = await deviceNow(wanted);
    // The kernel shows a disk before it knows its size.
    if (device !== undefined && device.bytes > 0) return rightSize(device, wanted, bytes);
    if (performance.now() >= end) throw missing(wanted);
    await sleep(POLL_MS, undefined, { signal });
  }
}

/**
 * Makes sure that no device has the names of a disk that is about to be attached: the two could not be distinguished.
 * Waits for a device that was just unplugged to disappear.
 *
 * @throws DeviceError
 */
export async function assertNoDevice(wanted: WantedDevice, signal: AbortSignal): Promise<void> {
  const end = performance.now() + wanted.timeoutMs;
  for (;;) {
    const device = await deviceNow(wanted);
    if (device === undefined) return;
    if (performance.now() >= end) {
      throw new DeviceError(`this machine has a device named as that of disk ${wanted.alias} already: ${device.path}`, {
        context: { disk: wanted.diskId, device: device.path },
        hint: "It is the same disk, or one whose id begins likewise. Detach it from the proxy VM first.",
      });
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function deviceNow({ directory, diskId }: WantedDevice): Promise<Device | undefined> {
  for (const name of deviceNames(diskId)) {
    try {
      return await lookAtDevice(join(directory, name));
    } catch (error) {
      // A link may be older or newer than its target.
      if (systemErrorCode(error) !== "ENOENT") throw error;
    }
  }
  return undefined;
}

function rightSize(device: Device, { alias, diskId }: WantedDevice, bytes: number): Device {
  if (device.bytes === bytes) return device;
  throw new DeviceError(
    `the device of disk ${alias} has ${device.bytes} bytes where the disk has ${bytes}: ${device.path}`,
    {
      context: { disk: diskId, device: device.path, deviceBytes: device.bytes, diskBytes: bytes },
      hint: "It may be another disk with the same serial. Nothing was read from it, and nothing written.",
    },
  );
}

function missing({ directory, diskId, alias, timeoutMs }: WantedDevice): DeviceError {
  const names = deviceNames(diskId);
  return new DeviceError(
    `the device of disk ${alias} did not appear in ${directory} within ${timeoutMs / 1_000} s, as any of ${names.join(", ")}`,
    {
      context: { disk: diskId, directory },
      hint:
        "Is this machine really the proxy VM, does `lsblk --output +SERIAL` show the disk, and does udev run? The kernel's " +
        "log says whether it was plugged in.",
    },
  );
}
