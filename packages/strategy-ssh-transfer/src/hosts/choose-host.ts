import {
  ConfigurationError,
  isTransient,
  messageOf,
  OvaultError,
  type Disk,
  type VirtualMachine,
} from "@ovault/contract";

import { HypervisorError, HypervisorKeyError } from "../errors.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { HostLogins } from "./host-logins.ts";
import { rankHosts, type HostChoice, type Ranking } from "./rank-hosts.ts";

const LOOK_DEADLINE_MS = 60_000;

export interface HostSearch extends Ranking {
  readonly logins: HostLogins;
  readonly dataCenterDirectory: string;
}

/** A host that ovault is logged in at, and that serves a disk. */
export interface ChosenHost extends HostChoice {
  readonly hypervisor: Hypervisor;
}

/**
 * Logs in at the best host that has the tools and sees the disk's storage domain. Warns of better ones where that failed.
 * @throws HypervisorError when there is none, transient if one may be there later, with the reason and the next step of
 * each host; HypervisorKeyError where a key was one of the reasons; ConfigurationError
 */
export async function chooseHost(
  disk: Pick<Disk, "id" | "alias" | "storageDomain">,
  vm: Pick<VirtualMachine, "host">,
  search: HostSearch,
  signal: AbortSignal,
): Promise<ChosenHost> {
  const choices = rankHosts(disk, vm, search);
  if (typeof choices === "string") throw noHost(disk, choices, []);
  const failures: unknown[] = [];
  for (const choice of choices) {
    try {
      const hypervisor = await search.logins.open(choice.host, `it can serve disk ${disk.alias}`, signal);
      await assertUsable(hypervisor, choice, search.dataCenterDirectory, signal);
      search.logins.passOver(failures);
      return { ...choice, hypervisor };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ConfigurationError) throw error;
      failures.push(error);
    }
  }
  throw noHost(disk, failures.map(messageOf).join("; "), failures);
}

async function assertUsable(
  hypervisor: Hypervisor,
  { host, domain, dataCenterId }: HostChoice,
  dataCenterDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  const { qemuImg, qemuNbd } = hypervisor.tools;
  const missing = qemuImg === undefined ? "qemu-img" : qemuNbd === undefined ? "qemu-nbd" : undefined;
  const context = { host: host.id, hostName: host.name };
  if (missing !== undefined) {
    const hint = "Install it there: on oVirt hosts it comes with the package qemu-img.";
    throw new HypervisorError(`host ${host.name} has no ${missing}`, { context, hint });
  }
  const directory = `${dataCenterDirectory}/${dataCenterId}/${domain.id}`;
  const options = { signal, deadlineMs: LOOK_DEADLINE_MS, accept: [0, 1] };
  const { exitCode } = await hypervisor.run('test -d "$1/"', [directory], options);
  if (exitCode === 0) return;
  throw new HypervisorError(`host ${host.name} does not see storage domain ${domain.name}`, {
    context: { ...context, directory },
    hint: "Is the domain active, and may the user enter its directory there?",
  });
}

function noHost({ id, alias }: Pick<Disk, "id" | "alias">, why: string, failures: readonly unknown[]): HypervisorError {
  const cause = failures.find((failure) => failure instanceof HypervisorKeyError) ?? failures[0];
  const Kind = cause instanceof HypervisorKeyError ? HypervisorKeyError : HypervisorError;
  const hint = hintOf(failures.filter((failure) => failure instanceof OvaultError));
  return new Kind(`no host serves disk ${alias}: ${why}`, {
    cause,
    context: { disk: id },
    retry: failures.some(isTransient) ? "transient" : "never",
    ...(hint !== undefined && { hint }),
  });
}

/** The next step of each host; one that several share stands there once. */
function hintOf(failures: readonly OvaultError[]): string | undefined {
  const byHint = Map.groupBy(failures, ({ hint }) => hint);
  if (byHint.size === 1) return failures[0]?.hint;
  const steps = [...byHint].flatMap(([hint, of]) =>
    hint === undefined ? [] : [`${of.map(({ context }) => context["hostName"]).join(", ")}: ${hint}`],
  );
  return steps.length === 0 ? undefined : steps.join("\n");
}
