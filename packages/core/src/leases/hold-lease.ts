import { randomUUID } from "node:crypto";

/** Leases of this kind say which points are being read. Each has a name that no other ever has. */
const HOLD = "hold-";

export function newHoldResource(): string {
  return HOLD + randomUUID();
}

export function isHold(resource: string): boolean {
  return resource.startsWith(HOLD);
}
