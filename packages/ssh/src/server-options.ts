import { z } from "zod";

import { type SecretReference, secretReference } from "@ovault/contract";

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

/** The ways to log in; exactly one is chosen. */
const LOGINS = ["privateKey", "agent", "password"] as const;

/** The server's fields in ovault.yaml: spread them into a schema, and check it with `checkServer`. */
export const serverShape = {
  /** Name or address. */
  host: z.string().regex(/^[\w:][\w:.%-]*$/, "must be the name or address of a server, without port and user"),
  port: z.int().min(1).max(65_535).default(22),
  user: z.string().min(1),
  /** A key file, or a reference to a secret that holds the key itself. */
  privateKey: z.union([z.string().min(1), secretReference]).optional(),
  passphrase: secretReference.optional(),
  /** Logs in with the keys of the agent at SSH_AUTH_SOCK. */
  agent: z.literal(true).optional(),
  password: secretReference.optional(),
  /** File with the server's key; default: `~/.ssh/known_hosts`. */
  knownHosts: z.string().min(1).optional(),
  /** SHA-256 fingerprint of the server's key, instead of a file of known hosts. */
  hostKey: z.string().regex(FINGERPRINT, "must be a fingerprint as ssh-keygen -l shows it: SHA256:…").optional(),
} as const;

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey?: string | SecretReference | undefined;
  readonly passphrase?: SecretReference | undefined;
  readonly agent?: true | undefined;
  readonly password?: SecretReference | undefined;
  readonly knownHosts?: string | undefined;
  readonly hostKey?: string | undefined;
}

/** The options of a login, without its server. */
export type LoginOptions = Omit<ServerOptions, "host" | "port" | "user">;

/** Checks the fields of a server against each other; for `superRefine`. */
export function checkServer(chosen: LoginOptions, context: z.RefinementCtx): void {
  if (LOGINS.filter((login) => chosen[login] !== undefined).length !== 1) {
    context.addIssue(`exactly one of ${LOGINS.join(", ")} says how to log in`);
  }
  if (chosen.passphrase !== undefined && chosen.privateKey === undefined) {
    context.addIssue({ code: "custom", message: "a passphrase belongs to a privateKey", path: ["passphrase"] });
  }
  if (chosen.knownHosts !== undefined && chosen.hostKey !== undefined) {
    const message = "the server's key is either pinned by hostKey or looked up in knownHosts";
    context.addIssue({ code: "custom", message, path: ["hostKey"] });
  }
}
