import { randomUUID } from "node:crypto";

import { finding } from "@ovault/contract";
import { NbdClient, NbdProtocolError } from "@ovault/nbd";
import { openTunnel } from "@ovault/ssh";

import { MAKE_DIRECTORY } from "../hosts/host-directory.ts";
import { QEMU_NBD } from "../serving/qemu-nbd.ts";
import type { HostCheck } from "./host-check.ts";

const SECONDS = 60;
const BYTES = 65_536;

/** A file of zeros, as arguments of QEMU_NBD: builds of QEMU may leave out its null driver. */
const SMALL_DISK = `
head -c ${BYTES} /dev/zero > "$directory/disk"
set -- ${SECONDS} "$directory/disk" --read-only --format=raw "$directory/disk"`;

/** Lets qemu-nbd on the host serve a disk of zeros, and reads it the way a backup reads disks. */
export const checkData: HostCheck = async (hypervisor, _site, signal) => {
  if (hypervisor.tools.qemuNbd === undefined) return finding.skip("there is no qemu-nbd to try, see tools");
  const script = MAKE_DIRECTORY + SMALL_DISK + QEMU_NBD;
  const process = await hypervisor.start(script, [`ovault-${randomUUID()}`], { signal });
  try {
    const tunnel = await openTunnel(hypervisor.session, process.ready, { signal });
    try {
      await using client = await NbdClient.connect({ address: tunnel.address, exportName: "", signal });
      const read = Buffer.alloc(BYTES, 1);
      await client.readInto(0, read, signal);
      if (read.some((byte) => byte !== 0)) throw new NbdProtocolError("what was read is not what the host serves");
    } finally {
      await tunnel.close();
    }
    const { carrier, reason } = tunnel;
    if (reason === undefined) return finding.ok(`qemu-nbd can be read, through ${carrier}`);
    return finding.warn(
      `qemu-nbd can be read, through ${carrier}: ${reason}`,
      "It is slower than OpenSSH, which needs the ssh command on this machine, a login with a key, and AllowStreamLocalForwarding on the host.",
    );
  } finally {
    await process.close();
  }
};
