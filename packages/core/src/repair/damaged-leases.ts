import { type ObjectStore, IntegrityError } from "@ovault/contract";
import { LEASES } from "../format/layout.ts";
import { LeaseFolder } from "../leases/lease-folder.ts";

/** A lease whose holder is unreadable: no run can take it. */
export interface DamagedLease {
  readonly resource: string;
  readonly reason: string;
}

export async function damagedLeases(store: ObjectStore, signal: AbortSignal): Promise<readonly DamagedLease[]> {
  const resources = new Set<string>();
  for await (const { key } of store.list(LEASES, { signal })) resources.add(key.split("/")[1] ?? "");
  const damaged: DamagedLease[] = [];
  for (const resource of resources) {
    const reason = await damageOf(new LeaseFolder(store, resource), signal);
    if (reason !== undefined) damaged.push({ resource, reason });
  }
  return damaged;
}

/** Frees a lease from its holder, which finds that out at the next beat and seals nothing. */
export async function freeLease(store: ObjectStore, resource: string, signal: AbortSignal): Promise<void> {
  await new LeaseFolder(store, resource).free(new Date().toISOString(), signal);
}

async function damageOf(folder: LeaseFolder, signal: AbortSignal): Promise<string | undefined> {
  try {
    const state = await folder.look(signal);
    const claim = state.generation === 0 ? undefined : await folder.readClaim(state.generation, signal);
    if (claim?.state === "held" && state.beat > 0) await folder.readBeat(state, signal);
    folder.generationAfter(state);
    return undefined;
  } catch (error) {
    if (error instanceof IntegrityError) return error.message;
    throw error;
  }
}
