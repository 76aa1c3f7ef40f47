import type { Disk, DiskAssessment, VirtualMachine } from "@ovault/contract";
import { whyUnreadable, whyUntouchable } from "@ovault/ovirt";

import type { Site } from "./site.ts";
import { proxyProblem } from "./proxy-problem.ts";

/** What attaching can do for one disk. Checks first what must not be touched, then what is impossible. */
export function assessDisk(vm: VirtualMachine, disk: Disk, site: Site): DiskAssessment {
  const untouchable = whyUntouchable(vm, disk);
  if (untouchable !== undefined) return { diskId: disk.id, verdict: "skip", reason: untouchable };
  const unable = whyNotAttachable(vm, disk, site) ?? whyUnreadable(disk);
  if (unable !== undefined) return { diskId: disk.id, verdict: "impossible", reason: unable };
  return { diskId: disk.id, verdict: "full", reason: "all of it is read from a device, and compared by digest" };
}

/** Why the engine would not attach a snapshot of this disk to the proxy VM, for people; undefined when it would. */
export function whyNotAttachable(vm: VirtualMachine, disk: Disk, site: Site): string | undefined {
  const { proxy, disksOfProxy, dataCenters, backupDomains } = site;
  if ("missing" in proxy) return `there is no proxy VM: ${proxy.missing}`;
  const { name, id, clusterId } = proxy.vm;
  const unfit = proxyProblem(proxy.vm);
  if (unfit !== undefined) return unfit;
  if (vm.id === id) return "it is a disk of the proxy VM itself, which cannot have it twice";
  if (disksOfProxy.has(disk.id)) return `the proxy VM ${name} has this disk already, and cannot have it twice`;
  const here = dataCenters.get(clusterId ?? "");
  const there = dataCenters.get(vm.cluster?.id ?? "");
  if (here !== undefined && there !== undefined && here !== there) {
    return `it is in another data center than the proxy VM ${name}`;
  }
  if (backupDomains.has(disk.storageDomain?.id ?? "")) {
    return `${disk.storageDomain?.name ?? "its storage domain"} is marked as a backup domain, which runs no machines`;
  }
  return undefined;
}
