import { createHash } from "node:crypto";

import { RepositorySecret } from "@ovault/core";

/** What opens the encrypted repositories beside this file. */
export const secrets: readonly RepositorySecret[] = [
  RepositorySecret.passphrase("compatibility"),
  RepositorySecret.keyFile(createHash("sha256").update("compatibility").digest()),
];
