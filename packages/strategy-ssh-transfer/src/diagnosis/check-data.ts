import { randomUUID } from "node:crypto";

import { finding } from "@ovault/contract";
import { NbdClient } from "@ovault/nbd";
import { openTunnel } from "@ovault/ssh";

import { MAKE_DIRECTORY } from "../serving/host-directory.ts";
import { QEMU_NBD } from "../serving/qemu-nbd.ts";
import type { HostCheck } from "./diagnose-host.ts";

const SECONDS = 60;
const BYTES = 65_536;
const NO_DISK = `json:${JSON.stringify({ driver: "null-co", size: BYTES, "read-zeroes": true })}`;
const FASTEST = "OpenSSH";

/** Lets qemu-nbd on the host serve a disk of zeros, and reads it the way a backup reads disks. */
export const checkData: HostCheck = async (hypervisor, _site, signal) => {
  const args = [`ovault-${randomUUID()}`, String(SECONDS), "/dev/null", "--read-only", NO_DISK];
  const process = await hypervisor.start(MAKE_DIRECTORY + QEMU_NBD, args, { signal });
  try {
    const tunnel = await openTunnel(hypervisor.session, process.ready, { signal });
    try {
      await using client = await NbdClient.connect({ address: tunnel.address, exportName: "", signal });
      await client.readInto(0, Buffer.alloc(BYTES), signal);
    } finally {
      await tunnel.close();
    }
    if (tunnel.carrier === FASTEST) return finding.ok("qemu-nbd can be read, through OpenSSH");
    return finding.warn(
      `qemu-nbd can be read, through ${tunnel.carrier}`,
      "It is slower than OpenSSH, which needs the ssh command on this machine, a login with a key, and AllowStreamLocalForwarding on the host.",
    );
  } finally {
    await process.close();
  }
};
