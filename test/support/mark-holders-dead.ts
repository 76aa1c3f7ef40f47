import { decodeDocument, encodeDocument } from "@ovault/core/internal/format/document";
import type { ObjectStore } from "@ovault/contract";
import { keysOf } from "@ovault/testkit";

const { signal } = new AbortController();

/** Every process that holds a lease is dead from now on. `store`: as the repository has it. */
export async function markHoldersDead(store: ObjectStore): Promise<void> {
  for (const key of await keysOf(store, "leases/")) {
    if (!/^leases\/[^/]+\/\d+$/.test(key)) continue;
    const claim = decodeDocument("claim", 1, await store.get(key, { signal }), key) as {
      state: string;
      holder: object;
    };
    if (claim.state !== "held") continue;
    // Processes that began at another time are others, whatever their pid.
    const dead = { ...claim, holder: { ...claim.holder, startTicks: 0 } };
    await store.put(key, [encodeDocument("claim", 1, dead)], { ifAbsent: false, signal });
  }
}
