import type { TakenBackup } from "@ovault/testkit";
import type { Bench } from "./bench.ts";

/** Disks that were taken otherwise than the guest sees them now. */
export async function differences(bench: Bench, taken: TakenBackup): Promise<string[]> {
  const views = [...(await bench.viewAll())];
  return views
    .filter(([diskId, view]) => !view.equals(taken.images.get(diskId) ?? Buffer.of()))
    .map(([diskId]) => diskId);
}

/** What runs have left on the engine and in the ledger, beside the snapshots of these points. */
export async function leftBeside(bench: Bench, ...points: readonly TakenBackup[]): Promise<string[]> {
  const kept = points.flatMap(({ point }) => point.disks.map(({ base }) => base?.["snapshotId"]));
  const { snapshots, checkpoints: _, vms: __, ...left } = await bench.lab.leftovers();
  const entries = await bench.ledger.abandoned();
  return [
    ...Object.entries(left).flatMap(([kind, ids]) => ids.map((id) => `${kind} ${id}`)),
    ...snapshots.filter((id) => !kept.includes(id)).map((id) => `snapshot ${id}`),
    ...entries.map(({ title }) => `ledger: ${title}`),
  ];
}

export function modesOf({ point }: TakenBackup): string[] {
  return point.disks.map(({ mode }) => mode);
}
