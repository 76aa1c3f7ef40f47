import { messageOf } from "@ovault/contract";

import { VolumeError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { nameOf, type BlockVolume } from "./host-volumes.ts";
import { LVM_COMMANDS, sudoersLines, type LvmCommand } from "./lvm-commands.ts";
import { parseReport, type LogicalVolume } from "./parse-report.ts";

/** Far above what LVM takes: it waits for other commands, and storage may be slow. */
const DEADLINE_MS = 5 * 60_000;
/** LVM's exit code when it could not do all of it. */
const LVM_FAILED = 5;
const SUDO_REFUSED = 1;
const NOT_FOUND = 127;
const SUDO_SAYS = /^sudo: |is not (allowed|in the sudoers)|may not run sudo/m;

/** The volumes that the host finds, by name (`nameOf`). @throws VolumeError when LVM does not run there */
export async function listVolumes(
  hypervisor: Hypervisor,
  volumes: readonly BlockVolume[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LogicalVolume>> {
  if (volumes.length === 0) return new Map();
  const { stdout } = await runLvm(hypervisor, "list", volumes, signal);
  const { host } = hypervisor;
  try {
    return new Map(parseReport(stdout).map((volume) => [volume.name, volume]));
  } catch (cause) {
    const message = `LVM on host ${host.name} answers with what is no report: ${messageOf(cause)}`;
    throw new VolumeError(message, { cause, context: { host: host.id } });
  }
}

/** @throws VolumeError with LVM's own words */
export async function changeVolumes(
  hypervisor: Hypervisor,
  command: Exclude<LvmCommand, "list">,
  volumes: readonly BlockVolume[],
  signal: AbortSignal,
): Promise<void> {
  const { exitCode, stderr } = await runLvm(hypervisor, command, volumes, signal);
  if (exitCode === 0) return;
  const { host } = hypervisor;
  const names = volumes.map(nameOf).join(", ");
  throw new VolumeError(`host ${host.name} cannot ${command} volume ${names}: ${lastLine(stderr)}`, {
    context: { host: host.id },
  });
}

async function runLvm(
  { host, session, asRoot }: Hypervisor,
  command: LvmCommand,
  volumes: readonly BlockVolume[],
  signal: AbortSignal,
): Promise<{ readonly stdout: string; readonly stderr: string; readonly exitCode: number }> {
  const words = [...asRoot, ...LVM_COMMANDS[command], ...volumes.map(nameOf)];
  const accept = [0, SUDO_REFUSED, LVM_FAILED, NOT_FOUND];
  const answer = await session.run('exec "$@"', words, { signal, deadlineMs: DEADLINE_MS, accept });
  const { exitCode, stderr } = answer;
  if (exitCode === 0 || exitCode === LVM_FAILED) return answer;
  const context = { host: host.id, exitCode };
  if (exitCode === SUDO_REFUSED && SUDO_SAYS.test(stderr)) {
    throw new VolumeError(`sudo on host ${host.name} refuses to ${command} volumes: ${lastLine(stderr)}`, {
      context,
      hint: `Add these lines to sudoers there, for the user of the login:\n${sudoersLines("USER").join("\n")}`,
    });
  }
  throw new VolumeError(`LVM does not run on host ${host.name}: ${lastLine(stderr)}`, { context });
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split("\n")
      .at(-1)
      ?.trim()
      .replaceAll(/\p{Cc}+/gu, " ") ?? ""
  );
}
