import type { Vm } from "@ovault/ovirt";

/** Why disks cannot be attached to this machine, for people; undefined when they can. */
export function proxyProblem({ name, status, virtioScsi }: Vm): string | undefined {
  if (status !== "up") return `the proxy VM ${name} is ${status}; it must be up`;
  if (virtioScsi === false) return `VirtIO-SCSI is not enabled on the proxy VM ${name}`;
  return undefined;
}
