import { randomBytes } from "node:crypto";

import type { MachineIdentity, RecoveryPoint, VirtualMachine } from "@ovault/contract";

export interface BarePointParts extends Partial<Omit<RecoveryPoint, "takenAt" | "vm">> {
  readonly id: string;
  readonly takenAt: Date;
}

/** A point that holds no disk, of a machine named web01, but for these parts. */
export function barePoint(
  machine: MachineIdentity & Partial<VirtualMachine>,
  { takenAt, ...parts }: BarePointParts,
): RecoveryPoint {
  return {
    vm: { name: "web01", status: "up", disks: [], attributes: {}, ...machine },
    takenAt: takenAt.toISOString(),
    sealedAt: takenAt.toISOString(),
    runId: "run",
    strategy: "model",
    basePoint: null,
    consistency: "crash",
    blockBytes: 512,
    disks: [],
    skipped: [],
    documents: [],
    warnings: [],
    ovaultVersion: "0.0.0",
    ...parts,
  };
}

/** As releases before 2026-12 chose it: by the clock alone. */
export function datedId(now: Date): string {
  const [date = "", time = ""] = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").split("T");
  return `${date}-${time}-${randomBytes(4).toString("hex")}`;
}
