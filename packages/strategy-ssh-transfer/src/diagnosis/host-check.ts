import type { Finding } from "@ovault/contract";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import type { Landscape } from "../hosts/landscape.ts";
import type { SshSite } from "../site.ts";

export interface DiagnosisSite extends SshSite {
  readonly landscape: Landscape;
  /** The checks of this host that have failed: what they told need not be told again. */
  readonly failed?: ReadonlySet<string>;
  /** Receives, for people, which host it waits for. */
  readonly onWait?: ((what: string) => void) | undefined;
}

/** A check of a host that ovault is logged in at. */
export type HostCheck = (hypervisor: Hypervisor, site: DiagnosisSite, signal: AbortSignal) => Promise<Finding>;
