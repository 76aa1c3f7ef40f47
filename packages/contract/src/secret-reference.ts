import { z } from "zod";

import type { SecretReference } from "./plugin.ts";

const FORMS = "{ env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT…] }";

/** For the options of every plugin that needs a secret. Refuses a secret written out, and never echoes it. */
export const secretReference: z.ZodType<SecretReference> = z.union(
  [
    z.strictObject({ env: z.string().min(1) }),
    z.strictObject({ file: z.string().min(1) }),
    z.strictObject({ command: z.array(z.string().min(1)).min(1) }),
  ],
  {
    error: ({ input }) =>
      typeof input === "string"
        ? `a secret is never written here, only a reference to it: ${FORMS}`
        : `a secret is one of ${FORMS}`,
  },
);
