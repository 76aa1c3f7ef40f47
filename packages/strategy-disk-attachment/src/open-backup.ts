import type { BackupRequest, RunContext } from "@ovault/contract";
import { asItWas, frozenVolumes, holdMachine, type OvirtManager, type Vm } from "@ovault/ovirt";

import { whyNotAttachable } from "./assess-disk.ts";
import { AttachedDisk } from "./attached-disk.ts";
import { AttachedDiskSource } from "./attached-disk-source.ts";
import { AttachmentSession } from "./attachment-session.ts";
import { Attachments } from "./attachments.ts";
import { AttachmentError, ProxyError } from "./errors.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { planMode } from "./plan-mode.ts";
import { refuseAlike } from "./refuse-alike.ts";
import { readSite, type Site } from "./site.ts";

/**
 * Makes a snapshot. Its disks are attached one by one when they are read. Leaves nothing behind when it throws, as far as
 * possible.
 */
export async function openBackup(
  manager: OvirtManager,
  options: DiskAttachmentOptions,
  request: BackupRequest,
  context: RunContext,
): Promise<AttachmentSession> {
  const { vm, disks } = request;
  const { runId, ledger, hooks, signal } = context;
  const api = manager.apiFor(runId, hooks);
  // What was assessed may be a while ago.
  const proxy = fitProxy(await readSite({ api, wanted: options.proxyVm }, signal), request);
  refuseAlike(disks);
  const held = await holdMachine(api, request, context, options);
  const { deviceDirectory } = options;
  const site = { api, ledger, proxy, deviceDirectory, timeoutMs: options.deviceTimeoutSeconds * 1_000 };
  const attachments = new Attachments(site, options.attachedDisks);
  const removeDeadlineMs = options.removalTimeoutSeconds * 1_000;
  const session = new AttachmentSession({ api, hooks, vm, removeDeadlineMs, attachments, ...held });
  try {
    const snapshotId = held.snapshot.id;
    const volumes = await frozenVolumes(api, { vmId: vm.id, snapshotId, disks }, signal);
    const before = volumes.map((one) => ({ disk: asItWas(one), volumeId: one.volume.imageId }));
    session.open(
      before.map(({ disk }) => {
        const { id: diskId, alias, logicalBytes: bytes } = disk;
        const attached = new AttachedDisk({ diskId, alias, snapshotId, bytes, access: "read" }, attachments);
        return new AttachedDiskSource({ disk, ...planMode(request, disk), attached });
      }),
      before,
    );
    return session;
  } catch (error) {
    // What cannot be ended now stays in the ledger; this error is the one to tell.
    await session.close().catch(() => undefined);
    throw error;
  }
}

/** @throws AttachmentError before anything is made */
function fitProxy(site: Site, { vm, disks }: BackupRequest): Vm {
  if ("missing" in site.proxy) throw new ProxyError(`there is no proxy VM: ${site.proxy.missing}`);
  for (const disk of disks) {
    const obstacle = whyNotAttachable(vm, disk, site);
    if (obstacle === undefined) continue;
    throw new AttachmentError(`disk ${disk.alias} cannot be attached to the proxy VM: ${obstacle}`, {
      context: { disk: disk.id, proxy: site.proxy.vm.id },
      hint: "Another strategy may take it, or another proxy VM.",
    });
  }
  return site.proxy.vm;
}
