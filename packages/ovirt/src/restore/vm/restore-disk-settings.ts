import type { EngineApi } from "../../api/engine-api.ts";
import { diskAttributes } from "../../model/attributes.ts";
import { writable } from "../../engine/xml-references.ts";
import { withoutTags } from "../../traces/run-tag.ts";
import type { MadeDisk } from "../disks/make-disk.ts";
import { refusalOf } from "../../engine/refusal-of.ts";

/**
 * Replaces the run's tag by the original descriptions of the new disks, and compares their other settings with the
 * point's.
 *
 * @returns what differs from the point, for people
 */
export async function restoreDiskSettings(
  api: EngineApi,
  vmId: string,
  disks: readonly Pick<MadeDisk, "id" | "record" | "layout" | "domain" | "placement">[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const changes: string[] = [];
  for (const { id, record, layout, domain, placement } of disks) {
    const { disk } = record;
    const { description, wipeAfterDelete, propagateErrors, qcowVersion, diskProfileId } = diskAttributes(disk);
    const profileWanted = disk.storageDomain?.id === domain.id ? diskProfileId : undefined;
    const change = { description: writable(withoutTags(description)), wipeAfterDelete, propagateErrors };
    const refusal = await refusalOf(api.vms.updateDiskAttachment(vmId, id, change, signal));
    const is = await api.disks.get(id, signal);
    const differing = [
      difference("description", change.description, is.description ?? ""),
      difference("wipe after delete", wipeAfterDelete, is.wipeAfterDelete),
      difference("propagation of errors", propagateErrors, is.propagateErrors),
      difference("change tracking", layout.incremental, is.backup === "incremental"),
      difference("QCOW2 version", layout.format === "cow" ? qcowVersion : undefined, is.qcowVersion),
      difference("disk profile", profileWanted, is.diskProfileId),
      difference("quota", placement.quotaId, is.quotaId),
    ].filter((text) => text !== undefined);
    if (differing.length === 0) continue;
    const reason = refusal === undefined ? "" : `: ${refusal}`;
    changes.push(`disk ${disk.alias} is not as it was: ${differing.join("; ")}${reason}`);
  }
  return changes;
}

/** Settings that the point lacks may have any value. */
function difference<T>(title: string, was: T | undefined, is: T | undefined): string | undefined {
  return was === undefined || was === is ? undefined : `${title} is "${is ?? ""}" and was "${was}"`;
}
