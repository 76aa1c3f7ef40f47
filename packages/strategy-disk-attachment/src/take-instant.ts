import type { BackupRequest, RunContext } from "@ovault/contract";
import { holdMachine, type OvirtManager, type Vm } from "@ovault/ovirt";

import { whyNotAttachable } from "./assess-disk.ts";
import { Attachments } from "./attachments.ts";
import { AttachmentError, ProxyError } from "./errors.ts";
import { HeldSnapshot } from "./held-snapshot.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { refuseAlike } from "./refuse-alike.ts";
import { readSite, type Site } from "./site.ts";

/** Makes a snapshot. Leaves nothing behind when it throws, as far as possible. */
export async function takeInstant(
  manager: OvirtManager,
  options: DiskAttachmentOptions,
  request: BackupRequest,
  context: RunContext,
): Promise<HeldSnapshot> {
  const { runId, ledger, hooks, signal } = context;
  const api = manager.apiFor(runId, hooks);
  // What was assessed may be a while ago.
  const proxy = fitProxy(await readSite({ api, wanted: options.proxyVm }, signal), request);
  refuseAlike(request.disks);
  const machine = await holdMachine(api, request, context, options);
  const { deviceDirectory } = options;
  const site = { api, ledger, proxy, deviceDirectory, timeoutMs: options.deviceTimeoutSeconds * 1_000 };
  const attachments = new Attachments(site, options.attachedDisks);
  const removeDeadlineMs = options.removalTimeoutSeconds * 1_000;
  return new HeldSnapshot({ ...request, ...machine, api, hooks, removeDeadlineMs, attachments });
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
