import { machineKey, type MachineIdentity } from "@ovault/contract";

/** A machine as tables name it. */
export interface TitledMachine extends MachineIdentity {
  readonly name: string;
}

/** Names machines in a table: by name and, where several share it, by manager and id too. */
export function machineTitles(machines: readonly TitledMachine[]): (machine: TitledMachine) => string {
  const byName = Map.groupBy(new Map(machines.map((machine) => [machineKey(machine), machine])).values(), nameOf);
  const shared = new Set([...byName].filter(([, own]) => own.length > 1).map(([name]) => name));
  return ({ name, manager, id }) => (shared.has(name) ? `${name} (${id} of ${manager})` : name);
}

function nameOf({ name }: TitledMachine): string {
  return name;
}
