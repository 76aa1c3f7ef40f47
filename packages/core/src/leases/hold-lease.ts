import { randomUUID } from "node:crypto";

/** Leases of this kind say which points are being read. Each has a name that no other ever has. */
const HOLD = "hold-";

/** @param name a UUID that no other hold ever has */
export function holdResource(name: string = randomUUID()): string {
  return HOLD + name;
}

export function isHold(resource: string): boolean {
  return resource.startsWith(HOLD);
}
