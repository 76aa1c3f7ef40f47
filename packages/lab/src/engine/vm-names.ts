import { badRequest, conflict, type EngineFault } from "./engine-fault.ts";
import type { EngineState } from "./engine-state.ts";
import { dataCenterOf } from "./inventory.ts";

/** Letters and digits of all languages, `_`, `-` and `.`. */
const NAME_PATTERN = /^[\p{L}0-9._-]*$/u;
const MAX_NAME = 255;

/** Names are unique in a data centre. */
export function nameIsUsed({ vms, inventory }: EngineState, name: string, clusterId: string): boolean {
  const dataCenter = dataCenterOf(inventory, clusterId);
  return Object.values(vms).some((vm) => vm.name === name && dataCenterOf(inventory, vm.clusterId) === dataCenter);
}

/** @throws EngineFault 400 */
export function requireValidName(name: string, action: string): void {
  if (name.length < 1 || name.length > MAX_NAME) throw badRequest(`size must be between 1 and ${MAX_NAME}`);
  if (NAME_PATTERN.test(name)) return;
  throw badRequest(
    `Can not ${action}. The given name contains special characters. Only lower-case and upper-case letters, numbers, '_', '-', '.' are allowed.`,
  );
}

export function nameUsed(action: string): EngineFault {
  return conflict(`Cannot ${action}. The VM name is already in use, please choose a unique name and try again.`);
}
