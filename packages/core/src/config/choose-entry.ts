import { didYouMean, NotFoundError, UsageError } from "@ovault/contract";
import type { Configuration, DestinationEntry, ManagerEntry } from "./configuration.ts";

/** Entries that a user may choose by name. */
interface Entries {
  readonly manager: ManagerEntry;
  readonly destination: DestinationEntry;
}

/**
 * The manager or destination with this name or, without a name, the default one.
 * @throws NotFoundError for an unknown name; UsageError when there is no default and nothing was named.
 */
export function chooseEntry<W extends keyof Entries>(
  configuration: Configuration,
  what: W,
  name: string | undefined,
): Entries[W] {
  const all: { readonly [K in keyof Entries]: ReadonlyMap<string, Entries[K]> } = {
    manager: configuration.managers,
    destination: configuration.destinations,
  };
  const known = all[what];
  const chosen = name ?? configuration.defaults[what];
  const names = [...known.keys()].join(", ");
  if (chosen === undefined) {
    throw new UsageError(`no ${what} named, and ${configuration.file} has no default for it`, {
      context: { file: configuration.file },
      hint:
        known.size === 0
          ? `Add one under \`${what}s:\` in ${configuration.file}.`
          : `Choose one of: ${names}; or set defaults.${what} in ${configuration.file}.`,
    });
  }
  const entry = known.get(chosen);
  if (entry === undefined) {
    throw new NotFoundError(`there is no ${what} "${chosen}"${didYouMean(chosen, known.keys())}`, {
      context: { file: configuration.file, [what]: chosen },
      hint: known.size === 0 ? `${configuration.file} has none.` : `Configured: ${names}.`,
    });
  }
  return entry;
}
