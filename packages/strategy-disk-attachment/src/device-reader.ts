import type { BackupRequest } from "@ovault/contract";
import type { Vm, VolumeReader } from "@ovault/ovirt";

import { whyNotAttachable } from "./assess-disk.ts";
import { AttachedDisk } from "./attached-disk.ts";
import { AttachedDiskSource } from "./attached-disk-source.ts";
import { Attachments } from "./attachments.ts";
import { AttachmentError, ProxyError } from "./errors.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { assertDistinctSerials } from "./assert-distinct-serials.ts";
import { readSite, type Site } from "./site.ts";

/** Reads volumes as devices of this machine, some at a time. Attaches each when it is read. */
export function deviceReader(options: DiskAttachmentOptions): VolumeReader {
  const { proxyVm: wanted, deviceDirectory, deviceTimeoutSeconds, attachedDisks } = options;
  return {
    increments: "an attached disk does not tell what changed",
    readsChains: () => true,

    async prepare(request, { api, context: { ledger, signal } }) {
      // The assessment may be outdated.
      const proxy = fitProxy(await readSite({ api, wanted }, signal), request);
      assertDistinctSerials(request.disks);
      const site = { api, ledger, proxy, deviceDirectory, timeoutMs: deviceTimeoutSeconds * 1_000 };
      const attachments = new Attachments(site, attachedDisks);
      return {
        holdsVolumes: false,
        open: async (plans, snapshotId) =>
          plans.map(({ disk, otherwise: mode, reason }) => {
            const { id: diskId, alias, logicalBytes: bytes } = disk;
            const wish = { diskId, alias, snapshotId, bytes, access: "read" as const };
            return new AttachedDiskSource({ disk, mode, reason, attached: new AttachedDisk(wish, attachments) });
          }),
        close: () => attachments.close(),
      };
    },
  };
}

/** @throws AttachmentError before anything is made. */
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
