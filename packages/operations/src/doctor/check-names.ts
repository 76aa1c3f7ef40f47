import { finding, plural, type Checklist, type Manager, type RecoveryPoint } from "@ovault/contract";
import { unclaimedWarnings } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import { renameHint, unclaimedPoints } from "../select/unclaimed-points.ts";

/** Checks that no machine of a manager has points under a manager name that ovault.yaml does not know any more. */
export async function checkNames(
  installation: Installation,
  manager: Manager,
  list: Checklist,
  signal: AbortSignal,
): Promise<void> {
  await list.run(`${manager.name}: points of its machines`, async () => {
    const inventory = await manager.inventory(signal);
    const unclaimed: RecoveryPoint[] = [];
    const known = new Map<string, RecoveryPoint>();
    let [read, all] = [0, 0];
    for (const name of installation.configuration.destinations.keys()) {
      all += 1;
      try {
        const newest = await (await installation.points(name)).points.newest(signal);
        for (const [machine, point] of newest) known.set(machine, point);
        unclaimed.push(...unclaimedPoints(installation, inventory, newest));
        read += 1;
      } catch {
        // The check of the destination reports it.
        signal.throwIfAborted();
      }
    }
    const warnings = unclaimedWarnings(unclaimed);
    if (warnings.length > 0) return finding.warn(warnings.join("; "), renameHint(manager.name, unclaimed, known));
    if (read < all) return finding.skip(`${read} of ${plural(all, "destination")} can be read`);
    return finding.ok("under the name that the manager has");
  });
}
