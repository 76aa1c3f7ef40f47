import { z } from "zod";

import { didYouMean } from "@ovault/contract";
import { originBelow, type Origin } from "./origin.ts";
import { validate } from "./validate.ts";

/** What a policy names, and the names that there are. */
export type PolicyReferences = Readonly<Partial<Record<"manager" | "destination" | "strategy", Iterable<string>>>>;

/**
 * Checks that what policies name exists.
 * @param origin that of the whole file
 * @throws ConfigurationError with line and path
 */
export function assertPoliciesRefer(
  policies: Readonly<Record<string, object>>,
  known: PolicyReferences,
  origin: Origin,
): void {
  const references = Object.entries(known).map(([what, names]) => [what, nameAmong(what, [...names]).optional()]);
  const policy = z.object(Object.fromEntries(references));
  validate(z.record(z.string(), policy), policies, originBelow(origin, "policies"));
}

function nameAmong(what: string, names: readonly string[]): z.ZodType {
  return z.string().superRefine((name, context) => {
    if (names.includes(name)) return;
    const known = names.length === 0 ? "" : `; known: ${names.join(", ")}`;
    context.addIssue(`there is no ${what} "${name}"${didYouMean(name, names) || known}`);
  });
}
