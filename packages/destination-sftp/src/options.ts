import { z } from "zod";

import { secretReference } from "@ovault/core";

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

/** The ways to log in; exactly one is chosen. */
const LOGINS = ["privateKey", "agent", "password"] as const;

export const options = z
  .strictObject({
    /** Name or address. */
    host: z.string().regex(/^[\w:][\w:.%-]*$/, "must be the name or address of a server, without port and user"),
    port: z.int().min(1).max(65_535).default(22),
    user: z.string().min(1),
    /** Existing directory on the server; relative to where the user lands after login. */
    directory: z
      .string()
      .regex(/^[^~\0][^\0]*$/, "must be a path; a relative one starts where the user lands after login, without ~"),
    /** A key file, or a reference to a secret that holds the key itself. */
    privateKey: z.union([z.string().min(1), secretReference]).optional(),
    passphrase: secretReference.optional(),
    /** Logs in with the keys of the agent that SSH_AUTH_SOCK leads to. */
    agent: z.literal(true).optional(),
    password: secretReference.optional(),
    /** Where the server's key is looked up; `~/.ssh/known_hosts` unless told. */
    knownHosts: z.string().min(1).optional(),
    /** SHA-256 fingerprint of the server's key, instead of a file of known hosts. */
    hostKey: z.string().regex(FINGERPRINT, "must be a fingerprint as ssh-keygen -l shows it: SHA256:…").optional(),
    /** Connections at most; each carries several calls. */
    connections: z.int().min(1).max(16).default(4),
    /** How long the server may leave a connection or a request without any answer, in milliseconds. */
    timeoutMs: z.int().min(1000).default(120_000),
  })
  .refine((chosen) => LOGINS.filter((login) => chosen[login] !== undefined).length === 1, {
    error: `exactly one of ${LOGINS.join(", ")} says how to log in`,
  })
  .refine((chosen) => chosen.passphrase === undefined || chosen.privateKey !== undefined, {
    error: "a passphrase belongs to a privateKey",
    path: ["passphrase"],
  })
  .refine((chosen) => chosen.knownHosts === undefined || chosen.hostKey === undefined, {
    error: "the server's key is either pinned by hostKey or looked up in knownHosts",
    path: ["hostKey"],
  });

/** The `destinations:` entry of a directory on a server with SSH. */
export type SftpOptions = z.output<typeof options>;
