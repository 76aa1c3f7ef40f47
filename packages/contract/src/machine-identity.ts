/** Identifies a machine: an id is unique within one manager; several machines may share a name. */
export interface MachineIdentity {
  /** Name of the manager in the configuration. */
  readonly manager: string;
  readonly id: string;
}

/** The identity of a machine as one string, for maps. Unique for each machine. */
export function machineKey({ manager, id }: MachineIdentity): string {
  return JSON.stringify([manager, id]);
}
