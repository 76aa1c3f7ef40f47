import { arrived, pending, type EngineApi } from "@ovault/ovirt";
import type { ExportDomain } from "@ovault/storage-domain";

import { ExportFailedError } from "../errors.ts";

/** A file that a host wrote shows late where the folder is a mount of another server. */
const VISIBLE_MS = 120_000;

export interface ExportWish {
  readonly api: EngineApi;
  /** Of the clone. */
  readonly vmId: string;
  /** Of the machine, for people. */
  readonly name: string;
  readonly domain: ExportDomain;
  readonly deadlineMs: number;
}

/**
 * Exports a clone, one volume for each disk, and waits until its OVF lies in the folder: hosts write it last.
 *
 * @throws ExportFailedError when the engine gave up; DeadlineError
 */
export async function exportClone(
  { api, vmId, name, domain, deadlineMs }: ExportWish,
  signal: AbortSignal,
): Promise<void> {
  const storageDomainId = domain.metadata.id;
  await api.vms.export(vmId, { storageDomainId, discardSnapshots: true, exclusive: false }, signal);
  const settledAt = performance.now() + api.inFlightMs;
  let lateSince: number | undefined;
  await api.wait(
    `the clone of ${name} to be exported`,
    async (pollSignal) => {
      const { status } = await api.vms.get(vmId, {}, pollSignal);
      if (status === "image_locked") return pending(status);
      if ((await domain.machineIds()).includes(vmId)) return arrived(undefined);
      if (performance.now() < settledAt) return pending("the engine has not begun");
      const listed = await api.exportDomains.vms(storageDomainId, pollSignal);
      lateSince ??= performance.now();
      const late = performance.now() - lateSince;
      if (!listed.some(({ id }) => id === vmId) || late > VISIBLE_MS) throw notExported(name, vmId);
      return pending("the engine lists it, and this node does not see it yet");
    },
    { deadlineMs, signal, justAsked: true },
  );
}

/** The engine reports a failed export only by the OVF that is missing. */
function notExported(name: string, vmId: string): ExportFailedError {
  return new ExportFailedError(`the engine could not export the clone of ${name}`, {
    context: { clone: vmId },
    hint: "The engine's events say why: the export domain may be full, read-only, or gone from the host.",
  });
}
