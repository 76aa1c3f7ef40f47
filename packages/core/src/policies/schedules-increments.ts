import type { VirtualMachine } from "@ovault/contract";
import type { Policy } from "./policy.ts";
import { machinesOfPolicy } from "./retention-by-machine.ts";

/** Whether a policy that covers this machine schedules incremental runs. */
export function schedulesIncrements(vm: VirtualMachine, policies: Iterable<Policy>): boolean {
  return [...policies]
    .filter(({ schedule }) => schedule.some(({ type }) => type === "incremental"))
    .some((policy) => machinesOfPolicy([vm], policy).length > 0);
}
