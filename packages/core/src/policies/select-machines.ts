import type { VirtualMachine } from "@ovault/contract";
import { parseMachineSelector } from "./parse-machine-selector.ts";

/** Selectors as written. Exclusion wins over inclusion. */
export interface MachineSelection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface SelectedMachines<M> {
  /** In the order of the inventory, each once. */
  readonly machines: readonly M[];
  /** Selectors that match no machine, not even an excluded one; to be reported. */
  readonly unmatched: readonly string[];
}

/** @throws UsageError for a selector that is invalid or takes too long */
export function selectMachines<M extends VirtualMachine>(
  inventory: readonly M[],
  { include, exclude }: MachineSelection,
): SelectedMachines<M> {
  const meantBy = (written: string): ReadonlySet<VirtualMachine> => new Set(parseMachineSelector(written)(inventory));
  const included = include.map((written) => ({ written, meant: meantBy(written) }));
  const excluded = exclude.map(meantBy);
  return {
    machines: inventory.filter(
      (vm) => included.some(({ meant }) => meant.has(vm)) && !excluded.some((meant) => meant.has(vm)),
    ),
    unmatched: included.filter(({ meant }) => meant.size === 0).map(({ written }) => written),
  };
}
