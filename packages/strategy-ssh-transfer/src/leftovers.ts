import type { LeftoverKinds } from "@ovault/ovirt";

import { HostLooks } from "./hosts/host-looks.ts";
import { hostProcessKind } from "./serving/host-process-leftover.ts";
import { HOST_PROCESS } from "./serving/host-process.ts";
import type { SshSite } from "./site.ts";
import { activeVolumesKind } from "./volumes/active-volumes-leftover.ts";
import { ACTIVE_VOLUMES } from "./volumes/activated-volumes.ts";

/** The kinds that only this strategy makes: all on hosts. */
export function ownLeftovers({ credentials }: SshSite): LeftoverKinds {
  const site = { credentials, looks: new HostLooks() };
  return { [HOST_PROCESS]: hostProcessKind(site), [ACTIVE_VOLUMES]: activeVolumesKind(site) };
}
