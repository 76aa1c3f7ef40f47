import { didYouMean, NotFoundError, PluginError, type Manager, type Strategy, type VirtualMachine } from "@ovault/core";

/**
 * The strategy of this name or, with `auto`, the first in order of preference that can take every disk; when none can,
 * the first, which then says which disk it is about.
 * @throws NotFoundError for an unknown name; PluginError when nothing works with this manager.
 */
export async function chooseStrategy(
  strategies: readonly Strategy[],
  { wanted, manager, vm, signal }: { wanted: string; manager: Manager; vm: VirtualMachine; signal: AbortSignal },
): Promise<Strategy> {
  if (wanted !== "auto") return strategyNamed(strategies, wanted);
  for (const strategy of strategies) {
    const { disks } = await strategy.assess(vm, signal);
    if (disks.every(({ verdict }) => verdict !== "impossible")) return strategy;
  }
  return preferredStrategy(strategies, manager);
}

/** Every strategy can restore every point, so that the first will do. */
export function preferredStrategy(strategies: readonly Strategy[], manager: Manager): Strategy {
  const [first] = strategies;
  if (first !== undefined) return first;
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
