/** What tells machines apart: an id means one machine of one manager, and a name may mean several. */
export interface MachineIdentity {
  /** Name of the manager in the configuration. */
  readonly manager: string;
  readonly id: string;
}

/** The identity of a machine as one string, for maps. Two machines never have the same. */
export function machineKey({ manager, id }: MachineIdentity): string {
  return JSON.stringify([manager, id]);
}
