import { z } from "zod";

import { checkServer, serverShape } from "@ovault/ssh";

export const options = z
  .strictObject({
    ...serverShape,
    /** Existing directory on the server; relative to the user's directory after login. */
    directory: z
      .string()
      .regex(/^[^~\0][^\0]*$/, "must be a path; a relative one starts where the user lands after login, without ~"),
    /** Maximum connections; each carries several calls. */
    connections: z.int().min(1).max(16).default(4),
    /** Time without an answer after which a connection or a request fails, in milliseconds. */
    timeoutMs: z.int().min(1000).default(120_000),
  })
  .superRefine(checkServer);

/** The `destinations:` entry of a directory on an SSH server. */
export type SftpOptions = z.output<typeof options>;
