import type { BackupRequest, HeldInstant, RunContext } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { EngineAnswerError } from "../engine/errors.ts";
import { attachedDiskIds } from "../ovf/read-ovf.ts";
import { vmDocuments } from "./vm-documents.ts";
import { readyMachine } from "./ready-machine.ts";
import { warnOfFirmware } from "./warn-of-firmware.ts";

/**
 * The instant of a machine without disks to read: holds its documents, and nothing on the engine.
 *
 * @throws EngineAnswerError when the machine has a disk that the engine did not list: then the answer was incomplete
 */
export async function holdConfiguration(
  api: EngineApi,
  { vm }: BackupRequest,
  context: RunContext,
): Promise<HeldInstant> {
  const now = await readyMachine({ api, vm }, context);
  warnOfFirmware(vm, now.ovf, context.hooks);
  // The answer that listed the machines may be incomplete: these two would have to omit the same disks.
  const attached = (await api.vms.diskAttachments(vm.id, false, context.signal)).map(({ diskId }) => diskId);
  const known = new Set(vm.disks.map(({ id }) => id));
  const unlisted = [...new Set([...attached, ...disksNamedIn(now.ovf)])].filter((diskId) => !known.has(diskId));
  if (unlisted.length > 0) {
    throw new EngineAnswerError(`the engine has listed no disk of ${vm.name} to take, but it has some`, {
      context: { vm: vm.id, disks: unlisted.join(", ") },
      hint: "They were attached a moment ago, or the user may not see them. Run the backup again; check the user's role.",
    });
  }
  return {
    documents: await vmDocuments(api, now, context.signal),
    consistency: now.status === "down" ? "offline" : "crash",
    open: async () => [],
    close: async () => ({ bases: new Map() }),
    retire: async () => {},
  };
}

/** Empty for an unreadable configuration, about which `warnOfFirmware` warns. */
function disksNamedIn(ovf: string): readonly string[] {
  try {
    return attachedDiskIds(ovf);
  } catch {
    return [];
  }
}
