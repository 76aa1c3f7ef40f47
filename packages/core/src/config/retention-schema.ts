import { z } from "zod";

import { count } from "./count.ts";

/** The retention rules of a destination or a policy. */
export const retentionSchema = z
  .strictObject({
    keepLast: count.optional(),
    keepDaily: count.optional(),
    keepWeekly: count.optional(),
    keepMonthly: count.optional(),
    keepYearly: count.optional(),
  })
  .refine((rules) => Object.keys(rules).length > 0, "needs at least one rule");
