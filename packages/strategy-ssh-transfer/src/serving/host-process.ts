import { randomUUID } from "node:crypto";

import { messageOf, type JsonObject, type LedgerHandle, type RunLedger } from "@ovault/contract";
import type { StartedCommand, StartedEnd } from "@ovault/ssh";

import { answerInTime, deadlineIn } from "../hosts/answer-in-time.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { FIND_DIRECTORY, MAKE_DIRECTORY } from "../hosts/host-directory.ts";

/** Kind of the ledger's entries of processes on hosts. */
export const HOST_PROCESS = "host-process";

/** A process keeps volumes open, which the engine does not see. */
export const PROCESS_ORDER = { before: ["active-volumes", "snapshot", "disk"], unseen: true } as const;

const START_DEADLINE_MS = 120_000;
const FIND_DEADLINE_MS = 60_000;
/** For a host to say, when a run closes, that a process has ended: else that stays open, and the run ends. */
const END_DEADLINE_MS = 20_000;

export interface HostProcessWish {
  /** For people: what it does. */
  readonly title: string;
  /**
   * For /bin/sh, with a directory of its own in `$directory`. Prints one line when it is ready, ends when it gets
   * SIGTERM, and keeps the name of its directory in the command line of each process that it starts.
   */
  readonly script: string;
  readonly args: readonly string[];
  /** Standard input of the script; may be secret. */
  readonly input?: Uint8Array;
  readonly ledger: RunLedger;
  /** For the ledger: the ids of the machine and the disk. */
  readonly detail: JsonObject;
}

/** A process that ovault runs on a host. It ends with `close`, or when the connection is gone. */
export class HostProcess {
  /** Its first line. */
  readonly ready: string;
  readonly ended: Promise<StartedEnd>;
  readonly #hypervisor: Hypervisor;
  readonly #name: string;
  readonly #service: StartedCommand;
  readonly #handle: LedgerHandle;

  private constructor(hypervisor: Hypervisor, name: string, service: StartedCommand, handle: LedgerHandle) {
    this.ready = service.ready;
    this.ended = service.ended;
    this.#hypervisor = hypervisor;
    this.#name = name;
    this.#service = service;
    this.#handle = handle;
  }

  /** Writes the ledger first. Cleans up before it throws, as far as possible. */
  static async start(hypervisor: Hypervisor, wish: HostProcessWish, signal: AbortSignal): Promise<HostProcess> {
    const { title, script, args, input, ledger, detail } = wish;
    const { host } = hypervisor;
    const name = `ovault-${randomUUID()}`;
    const handle = await ledger.open({
      kind: HOST_PROCESS,
      title: `process on host ${host.name}: ${title}`,
      detail: { ...detail, hostId: host.id, name },
    });
    try {
      const options = { signal, deadlineMs: START_DEADLINE_MS, ...(input !== undefined && { input }) };
      const service = await hypervisor.start(MAKE_DIRECTORY + script, [name, ...args], options);
      return new HostProcess(hypervisor, name, service, handle);
    } catch (error) {
      await removeAndForget(hypervisor, name, handle);
      throw error;
    }
  }

  /**
   * Ends the process and whatever is left of it, within half a minute. Never throws. Its entry stays in the ledger, and
   * keeps what the process uses, unless the host has said that it is gone.
   */
  async close(): Promise<void> {
    await this.#service.close();
    await removeAndForget(this.#hypervisor, this.#name, this.#handle);
  }
}

/** Processes and directories that are there under a name, for people. */
export async function findHostProcess(
  hypervisor: Hypervisor,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return await find(hypervisor, name, [], signal);
}

/** Ends the processes under a name and removes their directory. @throws Error when something is left */
export async function endHostProcess(hypervisor: Hypervisor, name: string, signal: AbortSignal): Promise<void> {
  const left = await find(hypervisor, name, ["end"], signal);
  if (left.length > 0) throw new Error(`still there: ${left.join(", ")}`);
}

async function find(
  hypervisor: Hypervisor,
  name: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const input = Buffer.from(`${name}\n`);
  const { stdout } = await hypervisor.run(FIND_DIRECTORY, args, { signal, input, deadlineMs: FIND_DEADLINE_MS });
  return stdout.split("\n").filter((line) => line !== "");
}

async function removeAndForget(hypervisor: Hypervisor, name: string, handle: LedgerHandle): Promise<void> {
  const end = (signal: AbortSignal): Promise<void> => endHostProcess(hypervisor, name, signal);
  try {
    await answerInTime(hypervisor.host, deadlineIn(END_DEADLINE_MS), end);
    await handle.close();
  } catch (error) {
    // The entry stays, and the next run finds what it names.
    await handle.amend({ why: messageOf(error) }).catch(() => undefined);
  }
}
