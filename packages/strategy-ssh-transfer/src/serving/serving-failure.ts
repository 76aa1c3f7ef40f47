import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "@ovault/contract";
import { NbdError, NbdRequestError } from "@ovault/nbd";
import { SshError } from "@ovault/ssh";

import { ServingError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import type { HostProcess } from "./host-process.ts";

/** For a process to end and say why, after its connections broke. */
const LAST_WORDS_MS = 2_000;
const MOST_WORDS = 500;

interface Serving {
  readonly title: string;
  readonly hypervisor: Hypervisor;
  readonly process: HostProcess;
}

/** Why a disk could not be opened on a host. Errors of others, as of the ledger, stay as they are. */
export async function openingFailure(
  error: unknown,
  { process, ...serving }: Omit<Serving, "process"> & { readonly process: HostProcess | undefined },
): Promise<unknown> {
  if (error instanceof NbdError && process !== undefined) return await servingFailure(error, { ...serving, process });
  if (!(error instanceof SshError)) return error;
  const { title, hypervisor } = serving;
  const { id, name } = hypervisor.host;
  const { message, retry, hint } = error;
  return new ServingError(`host ${name} cannot serve ${title}: ${message}`, {
    cause: error,
    context: { host: id, hostName: name },
    retry,
    ...(hint !== undefined && { hint }),
  });
}

/** Why a host did not do what was asked of it, as far as it says so. */
export async function servingFailure(
  error: unknown,
  { title, hypervisor: { host }, process }: Serving,
): Promise<ServingError> {
  const context = { host: host.id, hostName: host.name };
  if (error instanceof NbdRequestError) {
    const hint = "Its log and that of its storage say more.";
    return new ServingError(`host ${host.name} fails at ${title}: ${error.message}`, { cause: error, context, hint });
  }
  const end = await Promise.race([process.ended, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  const said =
    end?.lost ??
    end?.stderr
      .trim()
      .slice(-MOST_WORDS)
      .replaceAll(/\p{Cc}+/gu, " ");
  return new ServingError(`host ${host.name} stopped serving ${title}: ${said || messageOf(error)}`, {
    cause: error,
    context,
    retry: "transient",
    hint: "Is the host up, and does it reach its storage? Run it again.",
  });
}

/** The connection stands, and no answer comes. */
export function stalled(
  { title, hypervisor: { host }, timeoutMs }: Omit<Serving, "process"> & { readonly timeoutMs: number },
  cause: unknown,
): ServingError {
  return new ServingError(`host ${host.name} has sent nothing of ${title} for ${timeoutMs / 1_000} s`, {
    cause,
    context: { host: host.id, hostName: host.name },
    retry: "transient",
    hint: "Does the network hold, and does the host reach its storage? `timeoutSeconds` sets the limit.",
  });
}
