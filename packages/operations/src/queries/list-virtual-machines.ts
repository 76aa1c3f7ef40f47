import { compareNatural } from "@ovault/contract";

import type { Installation } from "../installation/installation.ts";
import { assessMachines } from "../select/assess-machines.ts";
import { summarizeVm, type VmSummary } from "../summaries/vm-summary.ts";

/** The inventory by name, with what a backup would do with each disk. */
export async function listVirtualMachines(
  installation: Installation,
  options: { readonly manager?: string | undefined },
  signal: AbortSignal,
): Promise<readonly VmSummary[]> {
  const assessed = await assessMachines(installation, await installation.manager(options.manager), signal);
  const summaries = assessed.map(({ vm, policies, choice }) => summarizeVm(vm, policies, choice));
  return summaries.toSorted((a, b) => compareNatural(a.name, b.name));
}
