import { EngineAnswerError, withoutSize, type Capabilities, type EngineDisk } from "@ovault/ovirt";

import type { SettledDisk } from "./open-disks.ts";
import { decideMode, type DiskPlan } from "./plan-modes.ts";

export interface ToldByEngine {
  readonly engineDisks: readonly EngineDisk[];
  /** Why no disk is incremental. */
  readonly refusal: string | undefined;
  readonly capabilities: Capabilities;
}

/**
 * Takes mode and size from the engine: a disk may have grown since the inventory.
 * @throws ManagerError when the engine does not list the disk in the backup, or omits its size
 */
export function settleDisk(plan: DiskPlan, { engineDisks, refusal, capabilities }: ToldByEngine): SettledDisk {
  const { id, alias } = plan.disk;
  const engineDisk = engineDisks.find((disk) => disk.id === id);
  if (engineDisk === undefined) {
    throw new EngineAnswerError(`the engine does not list disk ${alias} in its backup`, {
      context: { disk: id },
      hint: "The disk was detached in this moment, or the user may not see it. Run the backup again.",
    });
  }
  const { backupMode, provisionedBytes: logicalBytes = 0 } = engineDisk;
  if (logicalBytes <= 0) throw withoutSize(id);
  const unknown =
    capabilities.backupMode && backupMode === undefined ? "the engine does not tell how it takes it" : undefined;
  return { disk: { ...plan.disk, logicalBytes }, plan, ...decideMode(plan, backupMode, refusal ?? unknown) };
}
