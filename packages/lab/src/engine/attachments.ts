import { notFound } from "./engine-fault.ts";
import type { AttachmentState, VmState } from "./engine-state.ts";

/** @throws EngineFault 404 */
export function attachmentOf(vm: VmState, diskId: string): AttachmentState {
  const attachment = vm.attachments.find((candidate) => candidate.diskId === diskId);
  if (attachment === undefined) throw notFound();
  return attachment;
}

/** Attachments of the machine's own disks: without snapshots of other machines' disks. */
export function ownAttachments(vm: VmState): readonly AttachmentState[] {
  return vm.attachments.filter(({ snapshotId }) => snapshotId === undefined);
}

/** Own disks a machine starts with. */
export function pluggedDisks(vm: VmState): readonly string[] {
  return ownAttachments(vm)
    .filter(({ active }) => active)
    .map(({ diskId }) => diskId);
}

export function forgetAttachment(vm: VmState, diskId: string): void {
  const index = vm.attachments.findIndex((attachment) => attachment.diskId === diskId);
  if (index >= 0) vm.attachments.splice(index, 1);
}
