import { randomBytes, randomUUID } from "node:crypto";

import { ManagerError, type RunLedger, Semaphore } from "@ovault/contract";
import {
  arrived,
  DiskTransfer,
  MAX_HOST_CONNECTIONS,
  pending,
  removeDisk,
  runTag,
  type ImageioClient,
  type OvirtManager,
  type TransferRequest,
} from "@ovault/ovirt";

import { ok, skip, type Checklist } from "./checklist.ts";

const PROBE_BYTES = 1024 * 1024;
const DISK_DEADLINE_MS = 5 * 60_000;
const INACTIVITY_SECONDS = 60;

/**
 * Proves rights and data path by what a backup and a restore do: makes a disk of 1 MiB, writes it, reads it back, deletes
 * it. Everything is in the ledger before it is made.
 */
export async function checkTransfer(
  manager: OvirtManager,
  list: Checklist,
  ledger: RunLedger,
  signal: AbortSignal,
): Promise<void> {
  await list.run(`${manager.name}: rights and data path`, async () => {
    const domains = await manager.api.infrastructure.storageDomains(signal);
    const domain = domains.find(({ type, backup }) => type === "data" && !backup);
    if (domain === undefined) return skip("this user sees no data storage domain");
    await withProbeDisk(manager, domain.id, ledger, signal, async (diskId) => {
      const written = randomBytes(PROBE_BYTES);
      await transfer(manager, { diskId, direction: "upload" }, ledger, signal, async (client) => {
        await client.write(0, written, signal);
        await client.flush(signal);
      });
      await transfer(manager, { diskId, direction: "download" }, ledger, signal, async (client) => {
        const read = Buffer.alloc(PROBE_BYTES);
        await client.readInto(0, read, signal);
        if (!read.equals(written)) throw new ManagerError("the disk does not hold what was written to it");
      });
    });
    return ok(`a disk of 1 MiB on ${domain.name}: made, written, read back, deleted`);
  });
}

function probeName(diskId: string): string {
  return `ovault-doctor-${diskId.slice(0, 8)}`;
}

async function withProbeDisk(
  manager: OvirtManager,
  storageDomainId: string,
  ledger: RunLedger,
  signal: AbortSignal,
  use: (diskId: string) => Promise<void>,
): Promise<void> {
  const { api } = manager;
  const id = randomUUID();
  const name = probeName(id);
  const handle = await ledger.open({ kind: "disk", title: `probe disk ${name}`, detail: { diskId: id } });
  try {
    const description = runTag(ledger.runId);
    const shape = { format: "raw", sparse: true, provisionedBytes: PROBE_BYTES } as const;
    await api.disks.create({ id, name, description, storageDomainId, ...shape }, signal);
    await api.wait(
      `disk ${name} to become ok`,
      async (pollSignal) => {
        const { status } = await api.disks.get(id, pollSignal);
        return status === "ok" ? arrived(undefined) : pending(status);
      },
      { deadlineMs: DISK_DEADLINE_MS, signal },
    );
    await use(id);
  } finally {
    await removeDisk(api, id);
    await handle.close();
  }
}

async function transfer(
  manager: OvirtManager,
  { diskId, direction }: Pick<TransferRequest, "diskId" | "direction">,
  ledger: RunLedger,
  signal: AbortSignal,
  use: (client: ImageioClient) => Promise<void>,
): Promise<void> {
  const context = {
    api: manager.api,
    capabilities: await manager.capabilities(signal),
    ledger,
    ca: manager.client.trust.ca,
    connectionsPerHost: 1,
    inactivityTimeoutSeconds: INACTIVITY_SECONDS,
  };
  const request = { diskId, title: probeName(diskId), direction, logicalBytes: PROBE_BYTES };
  const running = await DiskTransfer.start(request, context, signal);
  let complete = false;
  try {
    await use(await running.connect(1, { connections: new Semaphore(MAX_HOST_CONNECTIONS) }, signal));
    complete = true;
  } finally {
    await running.end(complete ? "finalize" : "cancel");
  }
}
