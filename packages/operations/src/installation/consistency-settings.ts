import { consistencySchema, type ConsistencyOptions } from "@ovault/consistency";
import type { Quiesce } from "@ovault/contract";
import { originBelow, validate, type Configuration, type Policy } from "@ovault/core";

/** Options of the command line, which override the policy. */
export interface WantedConsistency {
  readonly quiesce?: Quiesce | undefined;
}

/** How to quiesce the guests of a policy. @throws ConfigurationError */
export function consistencySettings(
  { origin }: Configuration,
  { name, consistency }: Pick<Policy, "name" | "consistency">,
  wanted: WantedConsistency = {},
): ConsistencyOptions {
  const options = { ...consistency, ...presentIn(wanted) };
  return validate(consistencySchema, options, originBelow(origin, "policies", name, "consistency"));
}

/** The settings without a policy. */
export function defaultConsistency(wanted: WantedConsistency): ConsistencyOptions {
  return consistencySchema.parse(presentIn(wanted));
}

function presentIn({ quiesce }: WantedConsistency): WantedConsistency {
  return quiesce === undefined ? {} : { quiesce };
}
