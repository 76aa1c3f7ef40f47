import type { HypervisorKeyError } from "../errors.ts";

/** Warns of a host whose key is not the known one, once in a run. */
export function warnOfStrangeKeys(warn: (message: string) => void): (error: HypervisorKeyError) => void {
  const warned = new Set<unknown>();
  return ({ message, hint = "", context: { host } }) => {
    if (warned.has(host)) return;
    warned.add(host);
    warn(`${message}. ${hint}`.trim());
  };
}
