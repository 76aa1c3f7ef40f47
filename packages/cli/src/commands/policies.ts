import { Installation, listPolicies } from "@ovault/operations";

import { examples, type Define } from "../command.ts";
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
        await using installation = await Installation.open(context);
        const policies = await listPolicies(installation, { name, offline: options.offline === true }, context);
        const view = name === undefined ? policiesView(policies) : policies.flatMap(policyView);
        return { data: policies, view };
      }),
    );
};
