import { consistencySchema, type ConsistencyOptions } from "@ovault/consistency";
import type { Quiesce } from "@ovault/contract";
import { originBelow, validate, type Configuration, type Policy } from "@ovault/core";

/** What the command line says about it, which goes before what the policy says. */
export interface WantedConsistency {
  readonly quiesce?: Quiesce | undefined;
}

/** How the guests of a policy are brought to rest. @throws ConfigurationError */
export function consistencySettings(
  { origin }: Configuration,
  { name, consistency }: Pick<Policy, "name" | "consistency">,
  wanted: WantedConsistency = {},
): ConsistencyOptions {
  const options = { ...consistency, ...presentIn(wanted) };
  return validate(consistencySchema, options, originBelow(origin, "policies", name, "consistency"));
}

/** The same where there is no policy. */
export function defaultConsistency(wanted: WantedConsistency): ConsistencyOptions {
  return consistencySchema.parse(presentIn(wanted));
}

function presentIn({ quiesce }: WantedConsistency): WantedConsistency {
  return quiesce === undefined ? {} : { quiesce };
}
