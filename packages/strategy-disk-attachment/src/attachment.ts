import type { FileHandle } from "node:fs/promises";

import type { LedgerHandle, RunLedger } from "@ovault/contract";
import { arrived, pending, undo, wasRefused, type DiskAttachment, type EngineApi, type Vm } from "@ovault/ovirt";

import type { Device } from "./device.ts";
import { AttachmentError } from "./errors.ts";
import { assertNoDevice, findDevice } from "./find-device.ts";
import { detachDisk } from "./detach-disk.ts";
import { openDevice } from "./open-device.ts";

/** A disk to attach as a device of this machine. */
export interface AttachRequest {
  readonly diskId: string;
  /** For people. */
  readonly alias: string;
  /** The disk as this snapshot froze it; else the disk itself. */
  readonly snapshotId?: string;
  /** The exact size of its device. */
  readonly bytes: number;
  readonly access: "read" | "write";
}

/** Where disks are attached. */
export interface AttachmentSite {
  readonly api: EngineApi;
  readonly ledger: RunLedger;
  readonly proxy: Vm;
  /** Absolute. */
  readonly deviceDirectory: string;
  /** For a device to appear, and to disappear. */
  readonly timeoutMs: number;
}

/** A disk attached to the proxy VM, with its device opened exclusively. */
export class Attachment {
  readonly device: Device;
  readonly file: FileHandle;
  readonly #detachDisk: () => Promise<void>;

  /** Attaches a disk and waits for its device. Cleans up before it throws, as far as possible. */
  static async open(request: AttachRequest, site: AttachmentSite, signal: AbortSignal): Promise<Attachment> {
    const { api, ledger, proxy, deviceDirectory: directory, timeoutMs } = site;
    const { diskId, alias, snapshotId, bytes, access } = request;
    const wanted = { directory, diskId, alias, timeoutMs };
    await assertFree(request, site, signal);
    await assertNoDevice(wanted, signal);
    const handle = await ledger.open({
      kind: "attachment",
      title: `disk ${alias} at the proxy VM ${proxy.name}`,
      detail: { proxyVmId: proxy.id, diskId, ...(snapshotId === undefined ? {} : { snapshotId }) },
    });
    const detach = (): Promise<boolean> => detachDisk(api, { proxyVmId: proxy.id, diskId, deadlineMs: timeoutMs });
    const { active } = await attach(request, site, handle, signal);
    try {
      if (!active) await waitUntilPlugged(request, site, signal);
      const device = await findDevice(wanted, bytes, signal);
      const file = await openDevice(device, access);
      return new Attachment({ device, file }, async () => {
        await detach();
        await handle.close();
      });
    } catch (error) {
      await undo(handle, detach);
      throw error;
    }
  }

  private constructor({ device, file }: Pick<Attachment, "device" | "file">, release: () => Promise<void>) {
    this.device = device;
    this.file = file;
    this.#detachDisk = release;
  }

  /**
   * Closes the device, unplugs and detaches the disk, and closes the ledger entry. May be called again after it threw.
   */
  async close(): Promise<void> {
    // No guest releases an open device. A failed one cannot be closed cleanly, and its failure was reported.
    await this.file.close().catch(() => undefined);
    await this.#detachDisk();
  }
}

/** A disk that is already attached is not ours, and must never be mistaken for ours later. */
async function assertFree(
  { diskId, alias }: AttachRequest,
  { api, proxy }: AttachmentSite,
  signal: AbortSignal,
): Promise<void> {
  if ((await api.vms.findDiskAttachment(proxy.id, diskId, signal)) === undefined) return;
  throw new AttachmentError(`the proxy VM ${proxy.name} has disk ${alias} already`, {
    context: { proxy: proxy.id, disk: diskId },
    hint: "Detach it there, unless it is the proxy VM's own disk; or let another run of ovault finish.",
  });
}

async function attach(
  { diskId, snapshotId }: AttachRequest,
  { api, proxy, timeoutMs }: AttachmentSite,
  handle: LedgerHandle,
  signal: AbortSignal,
): Promise<DiskAttachment> {
  const how = { interface: "virtio_scsi", bootable: false, active: true };
  const which = snapshotId === undefined ? { diskId } : { diskId, snapshotId };
  try {
    return await api.vms.attachDisk(proxy.id, { ...which, ...how }, signal);
  } catch (error) {
    if (wasRefused(error, signal)) await handle.close();
    else {
      await undo(handle, async () => {
        const found = await detachDisk(api, { proxyVmId: proxy.id, diskId, deadlineMs: timeoutMs });
        // The engine may still execute a request that it did not answer: such an entry stays.
        if (!found) throw error;
      });
    }
    throw error;
  }
}

async function waitUntilPlugged(
  { diskId, alias }: AttachRequest,
  { api, proxy, timeoutMs }: AttachmentSite,
  signal: AbortSignal,
): Promise<void> {
  await api.wait(
    `disk ${alias} to be plugged into the proxy VM ${proxy.name}`,
    async (pollSignal) => {
      const now = await api.vms.findDiskAttachment(proxy.id, diskId, pollSignal);
      if (now?.active === true) return arrived(undefined);
      if (now !== undefined) return pending("attached, but not plugged in");
      throw new AttachmentError(`disk ${alias} was detached from the proxy VM ${proxy.name} again`, {
        context: { proxy: proxy.id, disk: diskId },
        hint: "The engine's events for the proxy VM say by whom, or why.",
      });
    },
    { deadlineMs: timeoutMs, signal },
  );
}
