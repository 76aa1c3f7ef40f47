import type { VirtualMachine } from "@ovault/contract";

/** A machine as `--json` names it. */
export interface MachineSummary {
  readonly id: string;
  readonly name: string;
  readonly manager: string;
}

export function summarizeMachine({
  id,
  name,
  manager,
}: Pick<VirtualMachine, "id" | "name" | "manager">): MachineSummary {
  return { id, name, manager };
}
