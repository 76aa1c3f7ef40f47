import type { LeftoverKinds } from "@ovault/ovirt";

import { hostProcessKind } from "./serving/host-process-leftover.ts";
import { HOST_PROCESS } from "./serving/host-process.ts";
import type { SshSite } from "./site.ts";
import { activeVolumesKind } from "./volumes/active-volumes-leftover.ts";
import { ACTIVE_VOLUMES } from "./volumes/activated-volumes.ts";

/** The kinds that only this strategy makes: all on hosts. */
export function ownLeftovers({ credentials }: SshSite): LeftoverKinds {
  return { [HOST_PROCESS]: hostProcessKind(credentials), [ACTIVE_VOLUMES]: activeVolumesKind(credentials) };
}
