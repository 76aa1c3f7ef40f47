import { UsageError, messageOf } from "@ovault/contract";
import { withinDeadline } from "../concurrency/within-deadline.ts";
import type { MachineSelector } from "./machine-selector.ts";

const LONGEST_PATTERN = 200;
/** Longer than any manager allows: a longer name is an attempt to keep a pattern busy. */
const LONGEST_NAME = 255;
/** Time limit for the names of all machines together. */
const LIMIT_MS = 1000;

/**
 * Parses `/REGEX/` or `/REGEX/i`, which matches anywhere in a name. Patterns come from the administrator, names from
 * any user who may create a machine: a pattern that backtracks endlessly on a name causes an error, not a hanging
 * backup.
 * @throws UsageError
 */
export function namePattern(written: string): MachineSelector {
  const [, source, flags] = /^\/(.+)\/(i?)$/s.exec(written) ?? [];
  if (source === undefined || source.length > LONGEST_PATTERN) {
    throw new UsageError(`"${written}" is not a regular expression for names`, {
      hint: `Write /REGEX/, or /REGEX/i when case does not matter; up to ${LONGEST_PATTERN} characters.`,
    });
  }
  const pattern = compile(written, source, flags ?? "");
  return (machines) => {
    let found: ReturnType<MachineSelector> = [];
    const done = withinDeadline(LIMIT_MS, () => {
      found = machines.filter(({ name }) => name.length <= LONGEST_NAME && pattern.test(name));
    });
    if (done) return found;
    throw new UsageError(`the regular expression ${written} takes too long on the names of virtual machines`, {
      hint: "Avoid a repetition inside of a repetition, such as (a+)+.",
    });
  };
}

function compile(written: string, source: string, flags: string): RegExp {
  try {
    return new RegExp(source, `u${flags}`);
  } catch (cause) {
    throw new UsageError(`${written} is not a regular expression: ${messageOf(cause)}`, { cause });
  }
}
