import { findNfsPorts, NfsMount, type NfsPorts } from "@ovault/nfs";
import type { StorageDomain } from "@ovault/ovirt";

import { VDSM } from "./exports-line.ts";
import { proveShare, type NfsShare } from "./prove-share.ts";

/** A server in the same network answers at once; a firewall does not answer. */
const CONNECT_MS = 3_000;

/**
 * Proves, by a real write through the network, that the export of a domain is the folder, and that hosts and ovault can
 * use each other's files. Proves nothing where this machine may not mount it, as an export that is for hosts alone: what
 * hosts wrote there must do then.
 *
 * @throws StagingError, StagingOwnerError
 */
export async function proveSite(domain: StorageDomain, folder: string, signal: AbortSignal): Promise<void> {
  const share = await shareOf(domain, signal);
  if (share === undefined || !(await mayMount(share, signal))) return;
  await proveShare(share, folder, { clients: ["HOST"], signal });
}

/** Undefined where the engine does not tell, or nothing answers there. */
async function shareOf(
  { address, path, mountOptions = "" }: StorageDomain,
  signal: AbortSignal,
): Promise<NfsShare | undefined> {
  if (address === undefined || path === undefined) return undefined;
  const ports = portsIn(mountOptions) ?? (await orUndefined(findNfsPorts(address, soon(signal)), signal));
  return ports && { address, path, ports };
}

/** The ports that hosts are given: `port=2049,mountport=2049`. */
function portsIn(mountOptions: string): NfsPorts | undefined {
  const options = new URLSearchParams(mountOptions.replaceAll(",", "&"));
  const [nfs, mount] = [Number(options.get("port")), Number(options.get("mountport"))];
  return nfs > 0 && mount > 0 ? { nfs, mount } : undefined;
}

async function mayMount({ address: host, path, ports }: NfsShare, signal: AbortSignal): Promise<boolean> {
  const opened = NfsMount.open({ host, ports, path, caller: VDSM, signal: soon(signal) });
  const mount = await orUndefined(opened, signal);
  await mount?.[Symbol.asyncDispose]();
  return mount !== undefined;
}

async function orUndefined<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await work;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function soon(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
}
