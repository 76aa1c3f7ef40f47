import { z } from "zod";

import { shareDomainSchema } from "./domain/share-domain.ts";

/** A machine that runs from a point, as plain data that can be kept: what its move or its end needs. */
export const instantMachineSchema = z.object({
  vmId: z.string(),
  name: z.string(),
  domain: shareDomainSchema,
  disks: z.array(
    z.object({
      /** Id in the point. */
      from: z.string(),
      /** Id on the engine. */
      id: z.string(),
      volumeId: z.string(),
    }),
  ),
});

export type InstantMachine = Readonly<z.output<typeof instantMachineSchema>>;
