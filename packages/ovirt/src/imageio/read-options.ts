import { z } from "zod";

import { ImageioError } from "./errors.ts";
import { statusError } from "./status-error.ts";

import type { WireAnswer } from "./connection.ts";

/** What the daemon can do for a transfer. */
export interface ImageioAbilities {
  /** e.g. `extents`, `zero`, `flush`, `checksum`. */
  readonly features: ReadonlySet<string>;
  readonly maxReaders: number;
  readonly maxWriters: number;
  /** The daemon reports a number of writers for every ticket; only the features show whether it may write. */
  readonly canWrite: boolean;
  /** Offered to every client, also to remote ones that cannot reach it. */
  readonly unixSocket: string | undefined;
}

const body = z.object({
  features: z.array(z.string()).default([]),
  max_readers: z.int().positive().default(1),
  max_writers: z.int().positive().default(1),
  unix_socket: z.string().optional(),
});

/** Reads the answer to OPTIONS. @throws TicketError, ImageioError for any other answer */
export function readOptions(answer: WireAnswer): ImageioAbilities {
  if (answer.status === 405 || answer.status === 204) {
    throw new ImageioError("this imageio is older than oVirt 4.2 and cannot be used", {
      context: { status: answer.status },
    });
  }
  if (answer.status !== 200) throw statusError("OPTIONS", answer);
  const { features, max_readers, max_writers, unix_socket } = parse(answer.text);
  return {
    features: new Set(features),
    maxReaders: max_readers,
    maxWriters: max_writers,
    canWrite: features.includes("zero"),
    unixSocket: unix_socket,
  };
}

function parse(text: string): z.infer<typeof body> {
  try {
    return body.parse(JSON.parse(text));
  } catch (error) {
    throw new ImageioError("imageio's answer to OPTIONS cannot be read", { cause: error });
  }
}
