import { randomBytes, randomUUID } from "node:crypto";

import { finding, ManagerError, Semaphore, type Finding, type RunLedger } from "@ovault/contract";

import { removeDisk } from "../api/remove-disk.ts";
import { arrived, pending } from "../engine/wait.ts";
import { MAX_HOST_CONNECTIONS, type ImageioClient } from "../imageio/imageio-client.ts";
import { runTag } from "../traces/run-tag.ts";
import { DiskTransfer, type TransferRequest } from "../transfer/disk-transfer.ts";
import type { EngineAccess } from "../api/engine-access.ts";

const PROBE_BYTES = 1024 * 1024;
const DISK_DEADLINE_MS = 5 * 60_000;
const INACTIVITY_SECONDS = 60;
export const NO_TRANSFERS = "image transfers came with oVirt 4.0.4";

/**
 * Proves rights and data path as a backup and a restore use them: makes a disk of 1 MiB, writes it, reads it back,
 * deletes it. Records everything in the ledger before it makes it.
 */
export async function proveDataPath(engine: EngineAccess, ledger: RunLedger, signal: AbortSignal): Promise<Finding> {
  if (!(await engine.capabilities(signal)).imageTransfers) return finding.skip(NO_TRANSFERS);
  const domains = await engine.api.infrastructure.storageDomains(signal);
  const domain = domains.find(({ type, backup }) => type === "data" && !backup);
  if (domain === undefined) return finding.skip("this user sees no data storage domain");
  await withProbeDisk(engine, domain.id, ledger, signal, async (diskId) => {
    const written = randomBytes(PROBE_BYTES);
    await transfer(engine, { diskId, direction: "upload" }, ledger, signal, async (client) => {
      await client.write(0, written, signal);
      await client.flush(signal);
    });
    await transfer(engine, { diskId, direction: "download" }, ledger, signal, async (client) => {
      const read = Buffer.alloc(PROBE_BYTES);
      await client.readInto(0, read, signal);
      if (!read.equals(written)) throw new ManagerError("the disk does not hold what was written to it");
    });
  });
  return finding.ok(`a disk of 1 MiB on ${domain.name}: made, written, read back, deleted`);
}

function probeName(diskId: string): string {
  return `ovault-doctor-${diskId.slice(0, 8)}`;
}

async function withProbeDisk(
  engine: EngineAccess,
  storageDomainId: string,
  ledger: RunLedger,
  signal: AbortSignal,
  use: (diskId: string) => Promise<void>,
): Promise<void> {
  const { api } = engine;
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
  engine: EngineAccess,
  { diskId, direction }: Pick<TransferRequest, "diskId" | "direction">,
  ledger: RunLedger,
  signal: AbortSignal,
  use: (client: ImageioClient) => Promise<void>,
): Promise<void> {
  const context = {
    api: engine.api,
    capabilities: await engine.capabilities(signal),
    ledger,
    ca: engine.client.trust.ca,
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
