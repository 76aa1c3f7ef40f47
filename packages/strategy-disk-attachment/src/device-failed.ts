import { messageOf } from "@ovault/contract";

import type { Device } from "./device.ts";
import { DeviceError } from "./errors.ts";

/** The error of a failed read or write. */
export function deviceFailed({ path }: Device, what: string, cause: unknown): DeviceError {
  return new DeviceError(`${path} cannot be ${what}: ${messageOf(cause)}`, {
    cause,
    context: { device: path },
    hint:
      "Was the disk detached from the proxy VM, or did its storage fail? The kernel's log and the engine's events say which. " +
      "Run it again.",
  });
}
