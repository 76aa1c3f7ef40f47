import { UsageError } from "@ovault/contract";
import type { DiskFiller, DiskFilling } from "@ovault/ovirt";

import { AttachedDisk } from "./attached-disk.ts";
import { AttachedDiskTarget } from "./attached-disk-target.ts";
import { Attachments } from "./attachments.ts";
import { ProxyError } from "./errors.ts";
import { findProxy } from "./find-proxy.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { proxyProblem } from "./proxy-problem.ts";

/** Fills the new disks of a restore as devices of this machine. */
export function deviceFiller(options: DiskAttachmentOptions): DiskFiller {
  const { proxyVm: wanted, deviceDirectory, deviceTimeoutSeconds, attachedDisks } = options;
  return {
    fillsCow: () => true,

    async assertReach(api, cluster, signal) {
      const { vm } = await findProxy({ api, wanted }, signal);
      const unfit = proxyProblem(vm);
      if (unfit !== undefined) throw new ProxyError(unfit, { context: { proxy: vm.id } });
      const clusters = await api.infrastructure.clusters(signal);
      const own = clusters.find(({ id }) => id === vm.clusterId)?.dataCenterId;
      if (own === undefined || own === cluster.dataCenterId) return;
      throw new UsageError(`cluster ${cluster.name} is in another data center than the proxy VM ${vm.name}`, {
        hint: "Restore with another strategy, or from a proxy VM there.",
      });
    },

    async open(disks, { api, context: { ledger, signal } }): Promise<DiskFilling> {
      const { vm: proxy } = await findProxy({ api, wanted }, signal);
      const site = { api, ledger, proxy, deviceDirectory, timeoutMs: deviceTimeoutSeconds * 1_000 };
      const attachments = new Attachments(site, attachedDisks);
      const targets = disks.map(({ id, record, madeBytes, layout: { writeZeros } }) => {
        const { id: diskId, alias, logicalBytes } = record.disk;
        const request = { diskId: id, alias, bytes: madeBytes, access: "write" as const };
        const attached = new AttachedDisk(request, attachments);
        return new AttachedDiskTarget({ diskId, logicalBytes, madeBytes, writeZeros, attached });
      });
      return {
        targets,
        finish: () => attachments.close(),
        // What cannot be detached stays in the ledger, and then keeps its disk from being removed, which is reported.
        abandon: () => attachments.close().catch(() => undefined),
      };
    },
  };
}
