import { z } from "zod";

import { messageOf, type Leftover, type LedgerEntry } from "@ovault/contract";
import { goneLeftover, type EngineApi, type LeftoverKind } from "@ovault/ovirt";

import type { Credentials } from "../hosts/credentials.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { Hypervisors } from "../hosts/hypervisors.ts";
import { readLandscape } from "../hosts/landscape.ts";
import { endHostProcess, findHostProcess } from "./host-process.ts";

const detailSchema = z.object({ hostId: z.string(), name: z.string().regex(/^ovault-[0-9a-f-]{36}$/) });

/** Processes that a dead run left on hosts. */
export function hostProcessKind(credentials: Credentials): LeftoverKind {
  return {
    before: ["active-volumes", "snapshot", "disk"],
    lookUp: (api, entry, signal) => lookUp(entry, { api, credentials }, signal),
  };
}

interface Site {
  readonly api: EngineApi;
  readonly credentials: Credentials;
}

async function lookUp(entry: LedgerEntry, site: Site, signal: AbortSignal): Promise<Leftover> {
  const { hostId, name } = detailSchema.parse(entry.detail);
  const landscape = await readLandscape(site.api, signal);
  // A host that is no longer the engine's is out of reach; the process has a time limit.
  if (landscape.hosts.every(({ id }) => id !== hostId)) return goneLeftover(entry);
  const onHost = async <T>(work: (hypervisor: Hypervisor) => Promise<T>, until: AbortSignal): Promise<T> => {
    const hypervisors = new Hypervisors(landscape, site.credentials);
    try {
      return await work(await hypervisors.open(hostId, until));
    } finally {
      await hypervisors.close();
    }
  };
  const remove = (removal: AbortSignal): Promise<void> =>
    onHost((hypervisor) => endHostProcess(hypervisor, name, removal), removal);
  try {
    const found = await onHost((hypervisor) => findHostProcess(hypervisor, name, signal), signal);
    if (found.length === 0) return goneLeftover(entry);
    return { entry, gone: false, action: `end the ${entry.title} (${found.join(", ")})`, remove };
  } catch (error) {
    signal.throwIfAborted();
    // An unreachable host must not hold up the others.
    return { entry, gone: false, action: `end the ${entry.title}: ${messageOf(error)}`, remove };
  }
}
