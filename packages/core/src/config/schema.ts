import { z } from "zod";

import { destinationSettingsShape } from "./destination-settings-schema.ts";
import { policySchema } from "./policy-schema.ts";

/** A manager or destination: `type` names the plugin, whose schema checks every other key. */
const pluginEntry = z.looseObject({ type: z.string().min(1) });

const entryName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "a name is made of letters, digits, dot, dash and underscore");

const managerEntry = pluginEntry.extend({
  /** Earlier names, under which points may be stored. */
  formerNames: z.array(entryName).default([]),
});

/** A present or former name belongs to one manager only. */
function refuseNamesOfTwo(
  managers: Readonly<Record<string, z.output<typeof managerEntry>>>,
  context: z.RefinementCtx,
): void {
  const owners = new Map(Object.keys(managers).map((name) => [name, name]));
  for (const [name, { formerNames }] of Object.entries(managers)) {
    for (const [position, former] of formerNames.entries()) {
      const owner = owners.get(former);
      owners.set(former, name);
      if (owner === undefined) continue;
      const message = owner === former ? `manager ${owner} has this name` : `it is a former name of ${owner} already`;
      context.addIssue({ code: "custom", path: [name, "formerNames", position], message });
    }
  }
}

/** The schema of ovault.yaml, without plugin options, which plugins check themselves. */
export const configurationSchema = z.strictObject({
  managers: z.record(entryName, managerEntry).superRefine(refuseNamesOfTwo).default({}),
  destinations: z.record(entryName, pluginEntry.extend(destinationSettingsShape)).default({}),
  defaults: z.strictObject({ manager: z.string().optional(), destination: z.string().optional() }).default({}),
  policies: z.record(entryName, policySchema).default({}),
  strategies: z.record(entryName, z.looseObject({})).default({}),
  hooks: z.record(entryName, z.looseObject({})).default({}),
  plugins: z.array(z.string().min(1)).default([]),
  state: z.string().min(1).default("ovault-state"),
});
