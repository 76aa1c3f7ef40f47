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
