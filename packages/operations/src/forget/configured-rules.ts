import { ConfigurationError, UsageError } from "@ovault/contract";
import { chooseEntry, choosePolicy, retentionByMachine, machinesOfPolicy, type Configuration } from "@ovault/core";

import { placedPolicies, withPlaces } from "../select/policy-places.ts";
import type { RulesOfMachines } from "./forget-plan.ts";

/**
 * The rules of ovault.yaml for a destination: policies that store there define those of their machines, the destination
 * those of the others. A machine's newest point says what the machine is (its name, tags, cluster), so no manager is
 * contacted.
 * @throws ConfigurationError when there are none
 */
export function configuredRules(configuration: Configuration, destination: string | undefined): RulesOfMachines {
  const { name, settings, origin } = chooseEntry(configuration, "destination", destination);
  const policies = placedPolicies(configuration).filter((policy) => policy.destination === name);
  if (settings.retention === undefined && policies.every(({ retention }) => retention === undefined)) {
    throw new ConfigurationError(`destination ${name} has no retention rules`, {
      context: { file: origin.file, destination: name },
      hint: (field) =>
        `Add destinations.${name}.retention to ${origin.file}, or give rules such as ${field("keepDaily", 7)}.`,
    });
  }
  return (machines) => retentionByMachine(machines, policies, settings.retention);
}

/**
 * The same only for the machines of one policy, and the destination it stores in.
 * @throws NotFoundError for an unknown policy; ConfigurationError when it has no rules; UsageError for another
 * destination
 */
export function policyRules(
  configuration: Configuration,
  name: string,
  from: string | undefined,
): { readonly destination: string; readonly rules: RulesOfMachines } {
  const policy = withPlaces(choosePolicy(configuration, name), configuration);
  const { file } = configuration;
  const { name: destination } = chooseEntry(configuration, "destination", policy.destination);
  if (from !== undefined && from !== destination) {
    throw new UsageError(`policy ${name} stores in ${destination}, and its rules are for what is there`);
  }
  if (policy.retention === undefined) {
    throw new ConfigurationError(`policy ${name} has no retention rules`, {
      context: { file, policy: name },
      hint: (field) =>
        `Add policies.${name}.retention to ${file}, or use ${field("retention")} for the rules of the destination.`,
    });
  }
  const rules = configuredRules(configuration, destination);
  return {
    destination,
    rules: (machines) => rules(machinesOfPolicy(machines, policy)),
  };
}
