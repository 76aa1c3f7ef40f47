import { MOUNT_PROGRAM, MOUNT_VERSION } from "../mount/mount-program.ts";
import { NFS_PROGRAM, NFS_VERSION } from "../nfs3/nfs3-program.ts";
import { NfsClientError } from "../errors.ts";
import { PORTMAP_PROGRAM, PORTMAP_VERSION } from "../portmap/portmap-program.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import { RpcClient } from "./rpc-client.ts";

/** Where the two programs of an NFS server listen. */
export interface NfsPorts {
  readonly nfs: number;
  readonly mount: number;
}

const PORTMAP_PORT = 111;
const GETPORT = 3;
const TCP = 6;

/** Asks a server's portmapper where NFSv3 and MOUNT listen. @throws NfsClientError when it does not say so */
export async function findNfsPorts(host: string, signal: AbortSignal): Promise<NfsPorts> {
  await using rpc = await RpcClient.connect({ host, port: PORTMAP_PORT, signal });
  const portOf = async (program: number, version: number, name: string): Promise<number> => {
    const args = new XdrWriter().uint32(program).uint32(version).uint32(TCP).uint32(0);
    const port = (await rpc.call(PORTMAP_PROGRAM, PORTMAP_VERSION, GETPORT, args)).uint32();
    if (port === 0) throw new NfsClientError(`${host} serves no ${name} version ${version} over TCP`);
    return port;
  };
  return {
    nfs: await portOf(NFS_PROGRAM, NFS_VERSION, "NFS"),
    mount: await portOf(MOUNT_PROGRAM, MOUNT_VERSION, "MOUNT"),
  };
}
