import { z } from "zod";

import { checkServer, serverShape } from "@ovault/ssh";

export const options = z
  .strictObject({
    ...serverShape,
    /** Existing directory on the server; relative to where the user lands after login. */
    directory: z
      .string()
      .regex(/^[^~\0][^\0]*$/, "must be a path; a relative one starts where the user lands after login, without ~"),
    /** Connections at most; each carries several calls. */
    connections: z.int().min(1).max(16).default(4),
    /** How long the server may leave a connection or a request without any answer, in milliseconds. */
    timeoutMs: z.int().min(1000).default(120_000),
  })
  .superRefine(checkServer);

/** The `destinations:` entry of a directory on a server with SSH. */
export type SftpOptions = z.output<typeof options>;
