import {
  didYouMean,
  NotFoundError,
  PluginError,
  type Manager,
  type Strategy,
  type VirtualMachine,
} from "@ovault/contract";
import { assessStrategy, chooseStrategy, type StrategyChoice } from "@ovault/core";

export interface MachineToTake {
  /** Name of a strategy, or `auto` for the best. */
  readonly wanted: string;
  readonly manager: Manager;
  readonly vm: VirtualMachine;
  /** Ids. */
  readonly excludeDisks: readonly string[];
  readonly keepBase: boolean;
  readonly signal: AbortSignal;
}

/**
 * The strategy for a machine, and why.
 * @throws NotFoundError for an unknown name; PluginError when none works with this manager
 */
export async function chooseForMachine(
  strategies: readonly Strategy[],
  { wanted, manager, vm, ...options }: MachineToTake,
): Promise<StrategyChoice> {
  if (wanted !== "auto") {
    const assessment = await assessStrategy(strategyNamed(strategies, wanted), vm, options);
    return { ...assessment, reason: "asked for", rejected: [] };
  }
  return (await chooseStrategy(strategies, vm, options)) ?? noStrategy(manager);
}

/** Every strategy can restore every point, so the first will do. */
export function preferredStrategy(strategies: readonly Strategy[], manager: Manager): Strategy {
  return strategies[0] ?? noStrategy(manager);
}

/** @param wanted name of a strategy, or `auto`. @throws NotFoundError */
export function strategyToRestore(strategies: readonly Strategy[], manager: Manager, wanted: string): Strategy {
  return wanted === "auto" ? preferredStrategy(strategies, manager) : strategyNamed(strategies, wanted);
}

function noStrategy(manager: Manager): never {
  throw new PluginError(`no strategy plugin works with managers of kind ${manager.kind}`, {
    context: { manager: manager.name, kind: manager.kind },
    hint: "Name one under `plugins:` in ovault.yaml.",
  });
}

function strategyNamed(strategies: readonly Strategy[], wanted: string): Strategy {
  const found = strategies.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const names = strategies.map(({ name }) => name);
  throw new NotFoundError(`there is no strategy "${wanted}"${didYouMean(wanted, names)}`, {
    hint: `Known for this manager: ${["auto", ...names].join(", ")}.`,
  });
}
