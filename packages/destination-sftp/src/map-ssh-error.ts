import { StoreError, StorePermissionError, StoreUnavailableError } from "@ovault/contract";
import { SshError, SshLoginError, SshUnavailableError } from "@ovault/ssh";

/** The store error for a failed login. Returns others, such as HostKeyError, unchanged. */
export function mapSshError(error: unknown): unknown {
  if (!(error instanceof SshError)) return error;
  const { message, context, hint, retry } = error;
  const options = { cause: error, context, retry, ...(hint === undefined ? {} : { hint }) };
  if (error instanceof SshLoginError) return new StorePermissionError(message, options);
  if (error instanceof SshUnavailableError) return new StoreUnavailableError(message, options);
  return new StoreError(message, options);
}
