import type { TakenBackup } from "@ovault/testkit";

/** Ids of disks whose bytes in a point differ from a view of them. */
export function differences(taken: TakenBackup, views: ReadonlyMap<string, Buffer>): string[] {
  return [...views].filter(([id, view]) => !view.equals(taken.images.get(id) ?? Buffer.of())).map(([id]) => id);
}

/** Whether the disks of two machines hold the same bytes, compared in order. */
export function sameBytes(one: ReadonlyMap<string, Buffer>, other: ReadonlyMap<string, Buffer>): boolean {
  const others = [...other.values()];
  const views = [...one.values()];
  return views.length === others.length && views.every((view, index) => view.equals(others[index] ?? Buffer.of()));
}
