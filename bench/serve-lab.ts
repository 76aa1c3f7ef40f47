/**
 * A lab as a process of its own, with two machines that are off and have the same disk:
 *
 *     serve-lab.ts DIRECTORY IMAGE
 *
 * `web01` is to be backed up; a transfer offers the disk of the other for as long as the lab lives. Prints ServedLab as
 * one line of JSON, and ends on SIGTERM.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";

import { startLab, writeLabConfiguration } from "@ovault/lab";
import { OvirtManager } from "@ovault/ovirt";

/** Parameters for clients of the lab. */
export interface ServedLab {
  readonly configuration: string;
  /** URL of the transfer's ticket. */
  readonly url: string;
  readonly caFile: string;
  readonly bytes: number;
}

const LONG_SECONDS = 24 * 3600;

const [directory = "", image = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const vms = ["web01", "peer"].map((name) => ({ name, images: [image], down: true }));
const lab = await startLab({ directory, vms, delayMs: 50 });
try {
  const configuration = await writeLabConfiguration(lab);
  const offered = await offer(lab.vms.find(({ name }) => name === "peer")?.disks[0]?.id ?? "");
  const served: ServedLab = { configuration, caFile: lab.caFile, ...offered };
  process.stdout.write(`${JSON.stringify(served)}\n`);
  await once(process, "SIGTERM");
} finally {
  await lab.stop();
}

/** Opens a transfer of a disk, which ends with the lab. */
async function offer(diskId: string): Promise<Pick<ServedLab, "url" | "bytes">> {
  const manager = new OvirtManager("lab", {
    url: lab.url,
    user: lab.user,
    password: lab.password,
    trust: { ca: [await readFile(lab.caFile, "utf8")] },
  });
  try {
    const { transfers, disks } = manager.api;
    const wanted = { subject: { diskId }, direction: "download", format: "raw" } as const;
    const { id } = await transfers.create({ ...wanted, inactivityTimeoutSeconds: LONG_SECONDS }, signal);
    const { provisionedBytes: bytes = 0 } = await disks.get(diskId, signal);
    const url = await manager.api.wait(
      "the transfer to begin",
      async (pollSignal) => {
        const { transferUrl, phase } = await transfers.get(id, pollSignal);
        return transferUrl === undefined ? { done: false, state: phase } : { done: true, value: transferUrl };
      },
      { deadlineMs: 60_000, signal },
    );
    return { url, bytes };
  } finally {
    await manager.close();
  }
}
