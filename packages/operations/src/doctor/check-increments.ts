import { finding, plural, type Checklist, type DiskAssessment, type Manager } from "@ovault/contract";

import type { Installation } from "../installation/installation.ts";
import { assessMachines, type AssessedMachine } from "../select/assess-machines.ts";

/**
 * Reports disks that every backup reads in full, and why: with the strategy that the machine's policy, or `auto`,
 * chooses. Whether the manager tracks a disk's changes matters only to strategies that rely on it.
 */
export async function checkIncrements(
  installation: Installation,
  manager: Manager,
  list: Checklist,
  signal: AbortSignal,
): Promise<void> {
  await list.run(`${manager.name}: increments`, async () => {
    const disks = (await assessMachines(installation, manager, signal)).flatMap(takenDisks);
    const full = disks.filter(({ verdict }) => verdict === "full");
    if (full.length === 0) return finding.ok(`${plural(disks.length, "disk")}, none read in full every time`);
    const groups = Map.groupBy(full, ({ strategy, reason }) => `${strategy}: ${reason}`);
    const described = [...groups].map(([why, group]) => `${group.map(({ title }) => title).join(", ")} (${why})`);
    const able = new Set(full.flatMap(({ withBase }) => withBase));
    return finding.warn(
      `${full.length} of ${plural(disks.length, "disk")} read in full every time: ${described.join("; ")}`,
      able.size === 0
        ? "Only what changed is stored all the same."
        : `Only what changed is stored all the same. To read no more than that, let a policy schedule increments: ` +
            `${[...able].join(" and ")} can take them, and then a snapshot stays on each machine.`,
    );
  });
}

interface TakenDisk {
  readonly title: string;
  readonly strategy: string;
  readonly verdict: DiskAssessment["verdict"];
  readonly reason: string;
  /** Strategies that could take increments of it if a policy scheduled them. */
  readonly withBase: readonly string[];
}

/** The disks that a backup takes, without those that it leaves out or cannot take. */
function takenDisks({ vm, keepBase, choice }: AssessedMachine): readonly TakenDisk[] {
  const candidates = keepBase ? [] : [choice, ...choice.rejected];
  return choice.disks.flatMap(({ diskId, verdict, reason }) => {
    if (verdict !== "full" && verdict !== "incremental") return [];
    const title = `${vm.name}/${vm.disks.find(({ id }) => id === diskId)?.alias ?? diskId}`;
    const withBase = candidates.flatMap(({ strategy, assessment }) => {
      const found = assessment.disks.find((disk) => disk.diskId === diskId);
      return found?.verdict === "incremental" && found.keeps !== undefined ? [strategy.name] : [];
    });
    return [{ title, strategy: choice.strategy.name, verdict, reason, withBase }];
  });
}
