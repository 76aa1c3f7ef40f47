import { createSocket } from "node:dgram";
import { once } from "node:events";

import { findNfsPorts, NfsClientError, type NfsPorts } from "@ovault/nfs";
import type { NfsShare } from "@ovault/strategy-export-domain";

/** A folder as hosts mount it. */
export interface Share extends NfsShare {
  /** What hosts must be given to mount it; undefined where they find everything by themselves. */
  readonly mountOptions: string | undefined;
}

const NFS_PORT = 2049;

/**
 * Looks where the NFS server of this machine listens: at the given port, where its portmapper says, else at 2049.
 * @param port of `ovault export-domain serve`
 */
export async function findShare(
  { address, path, port }: { readonly address: string; readonly path: string; readonly port: number | undefined },
  signal: AbortSignal,
): Promise<Share> {
  const ports = port === undefined ? await portsOf(address, signal) : { nfs: port, mount: port };
  return { address, path, ports, mountOptions: mountOptionsOf(ports) };
}

/** The address of this machine that a host sees: the one that packets to it have as their source. Sends nothing. */
export async function addressTowards(host: string): Promise<string> {
  for (const type of ["udp4", "udp6"] as const) {
    const socket = createSocket(type);
    try {
      const connected = once(socket, "connect");
      socket.connect(NFS_PORT, host);
      await connected;
      return socket.address().address;
    } catch (error) {
      if (type === "udp6") throw error;
    } finally {
      socket.close();
    }
  }
  throw new Error("unreachable");
}

async function portsOf(address: string, signal: AbortSignal): Promise<NfsPorts> {
  try {
    return await findNfsPorts(address, signal);
  } catch (error) {
    if (error instanceof NfsClientError) return { nfs: NFS_PORT, mount: NFS_PORT };
    throw error;
  }
}

/** The kernel's server has a port for each, which hosts ask for. One that has both at one is found only if named. */
function mountOptionsOf({ nfs, mount }: NfsPorts): string | undefined {
  return nfs === mount ? `nolock,proto=tcp,mountproto=tcp,port=${nfs},mountport=${mount}` : undefined;
}
