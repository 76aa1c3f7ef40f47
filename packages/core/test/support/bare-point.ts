import { randomBytes } from "node:crypto";

import type { MachineIdentity, RecoveryPoint } from "@ovault/contract";

/** A point of a machine named web01 that holds no disk. */
export function barePoint(
  machine: MachineIdentity,
  { id, takenAt, basePoint = null }: { id: string; takenAt: Date; basePoint?: string | null },
): RecoveryPoint {
  return {
    id,
    vm: { ...machine, name: "web01", status: "up", disks: [], attributes: {} },
    takenAt: takenAt.toISOString(),
    sealedAt: takenAt.toISOString(),
    runId: "run",
    strategy: "model",
    basePoint,
    consistency: "crash",
    blockBytes: 512,
    disks: [],
    skipped: [],
    documents: [],
    warnings: [],
    ovaultVersion: "0.0.0",
  };
}

/** As releases before 2026-12 chose it: by the clock alone. */
export function datedId(now: Date): string {
  const [date = "", time = ""] = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").split("T");
  return `${date}-${time}-${randomBytes(4).toString("hex")}`;
}
