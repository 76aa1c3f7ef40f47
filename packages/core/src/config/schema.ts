import { z } from "zod";

import { destinationSettingsShape } from "./destination-settings-schema.ts";
import { policySchema } from "./policy-schema.ts";

/** A manager or destination: `type` names the plugin, which checks every key that is not named here. */
const pluginEntry = z.looseObject({ type: z.string().min(1) });

const entryName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "a name is made of letters, digits, dot, dash and underscore");

/** The form of ovault.yaml, before plugins have checked their own options. */
export const configurationSchema = z.strictObject({
  managers: z.record(entryName, pluginEntry).default({}),
  destinations: z.record(entryName, pluginEntry.extend(destinationSettingsShape)).default({}),
  defaults: z.strictObject({ manager: z.string().optional(), destination: z.string().optional() }).default({}),
  policies: z.record(entryName, policySchema).default({}),
  strategies: z.record(entryName, z.looseObject({})).default({}),
  hooks: z.record(entryName, z.looseObject({})).default({}),
  plugins: z.array(z.string().min(1)).default([]),
  state: z.string().min(1).default("ovault-state"),
});
