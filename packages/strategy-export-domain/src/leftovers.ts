import type { LeftoverKinds } from "@ovault/ovirt";

import { cloneLeftover } from "./cloning/clone-leftover.ts";
import { CLONE } from "./cloning/cloned-machine.ts";
import { stagedCopyLeftover } from "./exporting/staged-copy-leftover.ts";
import { STAGED_COPY } from "./exporting/staged-copy.ts";
import { stagingSlotLeftover } from "./room/staging-slot-leftover.ts";
import { STAGING_SLOT } from "./room/staging-slot.ts";

/** The kinds that only this strategy makes: the engine locks a clone as long as it is exported. */
export const OWN_LEFTOVERS: LeftoverKinds = {
  [STAGED_COPY]: { lookUp: stagedCopyLeftover, before: [CLONE] },
  [STAGING_SLOT]: { lookUp: stagingSlotLeftover, before: [] },
  [CLONE]: { lookUp: cloneLeftover, before: ["snapshot"] },
};
