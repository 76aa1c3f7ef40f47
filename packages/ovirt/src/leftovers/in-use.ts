import { ManagerError, type ErrorCode, type JsonObject, type LedgerEntry } from "@ovault/contract";

import type { LeftoverKind } from "./leftover-kind.ts";

/** Something that ovault started outside the engine may still use what is to be removed. */
export class InUseError extends ManagerError {
  static override readonly code: ErrorCode = "E_IN_USE";
}

/**
 * Refuses to remove what something unseen by the engine may still use: the engine would remove it all the same.
 *
 * @param entry what is to be removed
 * @param outstanding what is not known to be gone
 * @param kinds those of the strategy
 * @throws InUseError, transient
 */
export function assertUnused(
  entry: Pick<LedgerEntry, "id" | "kind" | "title" | "detail">,
  outstanding: readonly LedgerEntry[],
  kinds: Readonly<Record<string, Pick<LeftoverKind, "before" | "unseen">>>,
): void {
  const users = outstanding.filter(({ id, kind, detail }) => {
    const own = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    return own?.unseen === true && own.before.includes(entry.kind) && id !== entry.id && isOfSame(detail, entry.detail);
  });
  if (users.length === 0) return;
  const named = users.map(({ title, detail }) => {
    const { why } = detail;
    return typeof why === "string" ? `${title} (${why})` : title;
  });
  const id = entry.detail["snapshotId"] ?? entry.detail["diskId"];
  throw new InUseError(
    `${entry.title}${typeof id === "string" ? ` (${id})` : ""} may still be used by: ${named.join(", ")}`,
    {
      retry: "transient",
      context: { thing: entry.title, users: users.map(({ title }) => title).join(", ") },
      hint:
        "The next run of the machine, or `ovault doctor --fix`, removes it when the host answers, or when the engine " +
        "shows the host as down or does not have it any more.",
    },
  );
}

/** For people: what removes that which could not be removed now. */
export function nextStep(obstacle: unknown): string {
  return obstacle instanceof InUseError && obstacle.hint !== undefined ? obstacle.hint : "see `ovault doctor`";
}

/** Whether both are of one machine, or of one disk. */
function isOfSame(one: JsonObject, other: JsonObject): boolean {
  return ["vmId", "diskId"].some((key) => one[key] !== undefined && one[key] === other[key]);
}
