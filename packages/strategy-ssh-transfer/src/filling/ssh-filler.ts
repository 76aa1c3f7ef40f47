import { ManagerError } from "@ovault/contract";
import type { DiskFiller } from "@ovault/ovirt";

/** Fills new disks over SSH. */
export function sshFiller(): DiskFiller {
  return {
    fillsCow: () => true,
    open: async () => {
      throw new ManagerError("disks cannot be filled over SSH yet");
    },
  };
}
