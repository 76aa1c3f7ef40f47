import type { Configuration, Policy } from "@ovault/core";

/** Names of a policy's manager and destination; undefined where neither it nor the defaults name one. */
export interface PolicyPlaces {
  readonly manager: string | undefined;
  readonly destination: string | undefined;
}

/** All policies, each with its places filled in. */
export function placedPolicies(configuration: Configuration): readonly Policy[] {
  return [...configuration.policies.values()].map((policy) => withPlaces(policy, configuration));
}

export function withPlaces(policy: Policy, configuration: Configuration): Policy {
  return { ...policy, ...placesOf(policy, configuration) };
}

export function placesOf({ manager, destination }: Policy, { defaults }: Configuration): PolicyPlaces {
  return { manager: manager ?? defaults.manager, destination: destination ?? defaults.destination };
}
