import type { VirtualMachine } from "./virtual-machine.ts";

/**
 * A connection to a virtualization manager, made by a manager plugin from one entry of `managers:` in ovault.yaml.
 * Core knows only this much of it; a strategy names the `kind` it works with and narrows to that plugin's own type.
 */
export interface Manager {
  /** Name in the configuration. */
  readonly name: string;
  /** Kind of manager, e.g. `ovirt` (also OLVM and RHV). */
  readonly kind: string;
  /** All virtual machines visible to the configured user, with their disks. */
  inventory(signal: AbortSignal): Promise<readonly VirtualMachine[]>;
  /** Ends sessions and connections. Never throws. */
  close(): Promise<void>;
}
