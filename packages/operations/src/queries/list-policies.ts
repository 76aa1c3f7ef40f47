import type { RecoveryPoint } from "@ovault/contract";
import { choosePolicy, unclaimedWarnings } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { placesOf } from "../select/policy-places.ts";
import { SiteSurvey } from "../select/site-survey.ts";
import { unclaimedPoints } from "../select/unclaimed-points.ts";
import { summarizePolicy, type PolicySummary } from "../summaries/policy-summary.ts";

export interface PoliciesQuery {
  /** Default: all. */
  readonly name?: string | undefined;
  /** Asks neither managers nor destinations. */
  readonly offline: boolean;
}

/** A manager or destination that does not answer costs a warning and its part of the result. */
export async function listPolicies(
  installation: Installation,
  { name, offline }: PoliciesQuery,
  context: Pick<OperationContext, "signal" | "reporter">,
): Promise<readonly PolicySummary[]> {
  const { configuration } = installation;
  const policies = name === undefined ? [...configuration.policies.values()] : [choosePolicy(configuration, name)];
  const survey = offline ? undefined : new SiteSurvey(installation, context);
  const summaries: PolicySummary[] = [];
  const unclaimed = new Set<RecoveryPoint>();
  for (const policy of policies) {
    const places = placesOf(policy, configuration);
    const { manager, destination } = places;
    const inventory = manager === undefined ? undefined : await survey?.machinesOf(manager);
    const newest = destination === undefined ? undefined : await survey?.newestPointsIn(destination);
    if (inventory !== undefined && newest !== undefined) {
      for (const point of unclaimedPoints(installation, inventory, newest)) unclaimed.add(point);
    }
    summaries.push(summarizePolicy(policy, { places, inventory, newest, now: new Date() }));
  }
  for (const warning of unclaimedWarnings([...unclaimed])) context.reporter.warn(warning);
  return summaries;
}
