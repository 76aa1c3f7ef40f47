import { messageOf } from "@ovault/contract";
import { EngineConflictError, EngineFaultError } from "@ovault/ovirt";

import { ShareDomainError } from "../errors.ts";
import { mountCommand, type Share } from "./share.ts";

/** The engine, or the host that it asked, said no. */
export function isRefusal(error: unknown): error is EngineConflictError | EngineFaultError {
  return error instanceof EngineConflictError || error instanceof EngineFaultError;
}

/** @param cause whose words are added; undefined: the engine says nothing but the state */
export function refusedShare(what: string, share: Share, cause?: unknown): ShareDomainError {
  return new ShareDomainError(cause === undefined ? what : `${what}: ${messageOf(cause)}`, {
    ...(cause !== undefined && { cause }),
    context: { ...share },
    hint:
      `Try on each host of the data center: ${mountCommand(share)}. A firewall may be between them and TCP port ` +
      `${share.port}, or the address may be one that hosts do not reach. The engine's events say more.`,
  });
}
