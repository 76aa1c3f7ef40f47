import type { RecoveryPoint } from "@ovault/contract";

const MOST_NAMES = 3;

/** Warnings about points of managers that are not in ovault.yaml: one sentence for each of these managers. */
export function unclaimedWarnings(points: readonly Pick<RecoveryPoint, "vm">[]): readonly string[] {
  return [...Map.groupBy(points, ({ vm }) => vm.manager)].map(([manager, own]) => {
    const names = [...new Set(own.map(({ vm }) => vm.name))];
    const shown = names.slice(0, MOST_NAMES).join(", ") + (names.length > MOST_NAMES ? ", …" : "");
    return (
      `there are recovery points of ${shown} under manager "${manager}", which ovault.yaml does not have: no other ` +
      `manager's machine uses them. If a manager was renamed, add \`formerNames: [${manager}]\` to the entry of that one`
    );
  });
}
