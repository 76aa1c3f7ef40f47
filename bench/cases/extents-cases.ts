import { fileURLToPath } from "node:url";

import type { Case } from "../case.ts";

const worker = fileURLToPath(new URL("../workers/plan-extents.ts", import.meta.url));

/** A disk in as many pieces as change tracking can report. */
export const extentsCases: Readonly<Record<string, () => Promise<Case>>> = {
  "extents-10-million": async () => ({
    name: "extents-10-million",
    ours: { name: "ovault", command: () => [process.execPath, worker, "10000000"] },
    others: [],
  }),
};
