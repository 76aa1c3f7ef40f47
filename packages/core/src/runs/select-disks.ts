import {
  type Assessment,
  type SkippedDisk,
  type Strategy,
  type Disk,
  type VirtualMachine,
  UsageError,
  observe,
  type RunHooks,
} from "@ovault/contract";

export interface SelectDisksOptions {
  readonly vm: VirtualMachine;
  readonly strategy: Strategy;
  /** Disk ids. */
  readonly excluded: readonly string[];
  /** The strategy's assessment when it was chosen; without it, calls `assess`. */
  readonly assessment: Assessment | undefined;
  readonly hooks: RunHooks;
  readonly signal: AbortSignal;
}

export interface SelectedDisks {
  readonly disks: readonly Disk[];
  readonly skipped: readonly SkippedDisk[];
}

/**
 * Decides which disks a run takes: all but the excluded ones, those the strategy must not touch, and those a hook
 * removed. A disk the strategy cannot take is an error, and so is a machine whose disks were all excluded or removed: a
 * run without data must not succeed. A machine without a disk to take in the first place (it boots from the network, or
 * has only LUNs and shareable disks) gives an empty selection and a warning: its configuration is worth a point.
 */
export async function selectDisks({
  vm,
  strategy,
  excluded,
  assessment,
  hooks,
  signal,
}: SelectDisksOptions): Promise<SelectedDisks> {
  const { disks: assessed } = assessment ?? (await strategy.assess(vm, signal));
  const skipped: SkippedDisk[] = [];
  const candidates: Disk[] = [];
  for (const disk of vm.disks) {
    const found = assessed.find((candidate) => candidate.diskId === disk.id);
    if (excluded.includes(disk.id)) skipped.push({ disk, reason: "excluded by the user" });
    else if (found?.verdict === "skip") skipped.push({ disk, reason: found.reason });
    else if (found === undefined || found.verdict === "impossible") {
      throw new UsageError(
        `${strategy.name} cannot take disk ${disk.alias} of ${vm.name}: ${found?.reason ?? "it is not known"}`,
        { context: { vm: vm.id, disk: disk.id }, hint: found?.remedy ?? "Exclude the disk, or use another strategy." },
      );
    } else candidates.push(disk);
  }
  const kept = await hooks.selectDisks.promise(candidates, vm);
  for (const disk of candidates) {
    if (!kept.includes(disk)) skipped.push({ disk, reason: "removed by a plugin" });
  }
  const disks = candidates.filter((disk) => kept.includes(disk));
  if (disks.length > 0) return { disks, skipped };
  const why =
    skipped.length === 0 ? "" : ` (${skipped.map(({ disk, reason }) => `${disk.alias}: ${reason}`).join("; ")})`;
  if (vm.disks.every(({ id }) => assessed.some(({ diskId, verdict }) => diskId === id && verdict === "skip"))) {
    observe(hooks.warning, `${vm.name} has no disk that can be taken${why}: the point keeps its configuration alone`);
    return { disks, skipped };
  }
  throw new UsageError(`${vm.name} has no disk to back up${why}`, {
    context: { vm: vm.id },
    hint: "A recovery point without the data of its disks would look like a backup. Exclude the machine instead.",
  });
}
