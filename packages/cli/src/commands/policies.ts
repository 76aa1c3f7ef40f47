import type { RecoveryPoint } from "@ovault/contract";
import { choosePolicy, unclaimedWarnings } from "@ovault/core";
import {
  Installation,
  placesOf,
  SiteSurvey,
  unclaimedPoints,
  summarizePolicy,
  type PolicySummary,
} from "@ovault/operations";

import { examples, type CommandContext, type Define } from "../command.ts";
import { policiesView, policyView } from "./policies-view.ts";

interface PoliciesOptions {
  readonly offline?: boolean;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[name]", "one policy, with its virtual machines")
    .option("--offline", "ask neither managers nor destinations: only what ovault.yaml says")
    .addHelpText(
      "after",
      examples(
        ["ovault policies", "what each selects, when it runs, how old its last points are"],
        ["ovault policies nightly", "the virtual machines of one"],
        ["ovault policies --offline", "from ovault.yaml alone"],
      ),
    )
    .action((name: string | undefined, options: PoliciesOptions) =>
      invoke(command, async (context) => {
        const policies = await listPolicies(context, name, options);
        const view = name === undefined ? policiesView(policies) : policies.flatMap(policyView);
        return { data: policies, view };
      }),
    );
};

/** All policies, or one. A manager or destination that does not answer costs a warning and its part of the result. */
export async function listPolicies(
  context: CommandContext,
  name: string | undefined,
  { offline = false }: PoliciesOptions,
): Promise<readonly PolicySummary[]> {
  await using installation = await Installation.open(context);
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
  for (const warning of unclaimedWarnings([...unclaimed])) context.terminal.warn(warning);
  return summaries;
}
