import { machineKey, type VirtualMachine } from "@ovault/contract";
import type { RetentionRules } from "../retention/retention-rules.ts";
import type { Policy } from "./policy.ts";
import { selectMachines } from "./select-machines.ts";

/** Rules, and where they come from. */
export interface RetentionSource {
  /** Undefined for the destination's rules. */
  readonly policy: string | undefined;
  readonly rules: RetentionRules;
  readonly timeZone: string | undefined;
}

/**
 * The rules for each machine's points at one destination, by `machineKey`: those of all policies that back it up there
 * and have rules; otherwise the destination's. Machines without rules are absent.
 * @param machines as their newest points show them
 * @param policies the policies that store at this destination
 * @param ofDestination the destination's own rules
 */
export function retentionByMachine(
  machines: readonly VirtualMachine[],
  policies: readonly Policy[],
  ofDestination: RetentionRules | undefined,
): ReadonlyMap<string, readonly RetentionSource[]> {
  const sources = new Map<string, RetentionSource[]>();
  for (const { name: policy, vms, manager, rules, timeZone } of policies.flatMap(withRules)) {
    for (const key of machinesOfPolicy(machines, { vms, manager }).map(machineKey)) {
      sources.set(key, [...(sources.get(key) ?? []), { policy, rules, timeZone }]);
    }
  }
  if (ofDestination === undefined) return sources;
  const fallback = [{ policy: undefined, rules: ofDestination, timeZone: undefined }];
  return new Map(machines.map(machineKey).map((key) => [key, sources.get(key) ?? fallback]));
}

/** The machines that a policy covers. A policy without a manager covers those of any. */
export function machinesOfPolicy<M extends VirtualMachine>(
  machines: readonly M[],
  { vms, manager }: Pick<Policy, "vms" | "manager">,
): readonly M[] {
  const known = manager === undefined ? machines : machines.filter((vm) => vm.manager === manager);
  return selectMachines(known, vms).machines;
}

function withRules(policy: Policy): readonly (Policy & { readonly rules: RetentionRules })[] {
  return policy.retention === undefined ? [] : [{ ...policy, rules: policy.retention }];
}
