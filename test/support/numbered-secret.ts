import { createHash } from "node:crypto";

import { RepositorySecret } from "@ovault/core";

/** The key file of this name, the same in every process. */
export function secretOf(name: string): RepositorySecret {
  return RepositorySecret.keyFile(createHash("sha256").update(name).digest());
}
