import { arrived, pending, type EngineApi, type StorageDomain } from "@ovault/ovirt";

/** A host waits that long for an NFS server, several times. */
const DEADLINE_MS = 600_000;

interface Attached {
  readonly dataCenterId: string;
  readonly domain: Pick<StorageDomain, "id" | "name">;
}

/**
 * Waits until an attached domain has one of these states.
 * @throws DeadlineError
 */
export function awaitStatus(
  api: EngineApi,
  { dataCenterId, domain }: Attached,
  states: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  return api.wait(
    `export domain ${domain.name} to become ${states.join(" or ")}`,
    async (waiting) => {
      const attached = await api.infrastructure.attachedStorageDomains(dataCenterId, waiting);
      const status = attached.find(({ id }) => id === domain.id)?.status;
      return status !== undefined && states.includes(status) ? arrived(status) : pending(status ?? "not attached");
    },
    { deadlineMs: DEADLINE_MS, signal },
  );
}

/** Waits until a domain is attached to no data center. @throws DeadlineError */
export function awaitDetached(api: EngineApi, { dataCenterId, domain }: Attached, signal: AbortSignal): Promise<void> {
  return api.wait(
    `export domain ${domain.name} to be detached`,
    async (waiting) => {
      const attached = await api.infrastructure.attachedStorageDomains(dataCenterId, waiting);
      const found = attached.find(({ id }) => id === domain.id);
      return found === undefined ? arrived(undefined) : pending(found.status);
    },
    { deadlineMs: DEADLINE_MS, signal },
  );
}
