import type { TakenBackup } from "@ovault/testkit";
import { differences as differencesFrom } from "@ovault/testkit-ovirt";

import type { Bench } from "./bench.ts";

/** Disks that were taken otherwise than the guest sees them now. */
export async function differences(bench: Bench, taken: TakenBackup): Promise<string[]> {
  return differencesFrom(taken, await bench.viewAll());
}

/** What runs have left on the engine and in the ledger, beside the snapshots of these points and these machines. */
export async function leftBeside(bench: Bench, ...known: readonly (TakenBackup | string)[]): Promise<string[]> {
  const points = known.filter((one) => typeof one !== "string");
  const machines = known.filter((one) => typeof one === "string");
  const kept = points.flatMap(({ point }) => point.disks.map(({ base }) => `snapshots: ${base?.["snapshotId"]}`));
  return (await bench.left("web", ...machines)).filter((left) => !kept.includes(left));
}

export function modesOf({ point }: TakenBackup): string[] {
  return point.disks.map(({ mode }) => mode);
}
