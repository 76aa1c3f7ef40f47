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
  /** Only where the manager can be asked to bring a guest's file systems to rest, whatever is done meanwhile. */
  readonly quiescing?: Quiescing;
  /** Ends sessions and connections. Never throws. */
  close(): Promise<void>;
}

/**
 * Both calls reject when the guest refuses or does not answer. A `freeze` that rejects may have taken hold all the same,
 * or may still do so: whoever calls it thaws in any case. Thawing what is not frozen does no harm.
 */
export interface Quiescing {
  freeze(vm: Pick<VirtualMachine, "id">, signal: AbortSignal): Promise<void>;
  thaw(vm: Pick<VirtualMachine, "id">, signal: AbortSignal): Promise<void>;
}
