import { z } from "zod";

import { flag, name, names } from "../jobs/job-fields.ts";

/** Serves disks of a recovery point by NBD until it is ended. Needs only the destination. No run: it reports no events. */
export const serveJobSchema = z.strictObject({
  kind: z.literal("serve"),
  /** Id, a unique beginning of it, or `VM@latest`. */
  point: name,
  /** Ids, aliases or indexes; none: all that the point holds. */
  disks: names,
  /** Clients may write; what they write is gone when the server ends. */
  writable: flag,
  /** `[ADDRESS:]PORT` of this machine's loopback; port 0 is any free one. Default: a unix socket. */
  listen: name.optional(),
  /** Memory for blocks that were read. Default: 256 MiB. */
  cacheBytes: z.int().min(0).optional(),
  /** Only machines of this manager match. */
  manager: name.optional(),
  /** Destination. */
  from: name.optional(),
});

export type ServeJob = Readonly<z.output<typeof serveJobSchema>>;
