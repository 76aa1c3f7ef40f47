import { StoreError, StorePermissionError, StoreUnavailableError } from "@ovault/core";
import { HostKeyError as SshHostKeyError, SshError, SshLoginError, SshUnavailableError } from "@ovault/ssh";

import { HostKeyError } from "./host-key-error.ts";

/** The store error for what happened while logging in. Others come back as they are. */
export function mapSshError(error: unknown): unknown {
  if (!(error instanceof SshError)) return error;
  const { message, context, hint, retry } = error;
  const options = { cause: error, context, retry, ...(hint === undefined ? {} : { hint }) };
  if (error instanceof SshHostKeyError) return new HostKeyError(message, options);
  if (error instanceof SshLoginError) return new StorePermissionError(message, options);
  if (error instanceof SshUnavailableError) return new StoreUnavailableError(message, options);
  return new StoreError(message, options);
}
