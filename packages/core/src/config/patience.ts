import { z } from "zod";

import { durationInMs } from "../util/duration-in-ms.ts";

const LONGEST_MS = 86_400_000;
const FORMS = "a number with s, m or h, up to 24h, such as 10m; or 0";

/** How long to wait for something that does not answer, written as `10m`. Gives milliseconds. */
export const patience = z.union([z.string(), z.literal(0)], { error: FORMS }).transform((written, context) => {
  const milliseconds = durationInMs(String(written));
  if (milliseconds !== undefined && milliseconds <= LONGEST_MS) return milliseconds;
  context.addIssue(FORMS);
  return z.NEVER;
});
