import { type VirtualMachine, UsageError } from "@ovault/contract";
import { matchesGlob } from "../util/matches-glob.ts";
import type { MachineSelector } from "./machine-selector.ts";
import { namePattern } from "./name-pattern.ts";

type Matches = (vm: VirtualMachine) => boolean;

/** By the word before the colon. */
const KINDS: ReadonlyMap<string, (wanted: string) => Matches> = new Map([
  ["tag", (glob) => (vm) => (vm.tags ?? []).some((tag) => matchesGlob(glob, tag))],
  ["cluster", (glob) => (vm) => vm.cluster !== undefined && matchesGlob(glob, vm.cluster.name)],
  ["id", (id) => (vm) => vm.id === id],
]);

/**
 * Parses one selector. Machine names hold neither `:` nor `/`, so text with either is not a plain name.
 * @throws UsageError for an invalid form; on use, for a regular expression that takes too long
 */
export function parseMachineSelector(written: string): MachineSelector {
  if (written.startsWith("/")) return namePattern(written);
  const matches = parseMatches(written);
  return (machines) => machines.filter(matches);
}

/** Whether it names one machine, by name or id, rather than a pattern. */
export function isPlainName(written: string): boolean {
  return !/[/:*?]/.test(written);
}

function parseMatches(written: string): Matches {
  const colon = written.indexOf(":");
  const wanted = written.slice(colon + 1);
  const matching = colon < 0 ? byNameOrId : KINDS.get(written.slice(0, colon));
  if (matching !== undefined && wanted !== "") return matching(wanted);
  throw new UsageError(`"${written}" does not select virtual machines`, {
    hint: "Write a name or glob like web*, /REGEX/, tag:GLOB, cluster:GLOB or id:ID.",
  });
}

function byNameOrId(wanted: string): Matches {
  return ({ id, name }) => id === wanted || matchesGlob(wanted, name);
}
