import { ManagerError, observe, type RunContext, type VirtualMachine, DeadlineError } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { arrived, pending } from "../engine/wait.ts";
import type { Vm } from "../model/vm.ts";
import { MachineStateError } from "./errors.ts";

/** A machine whose configuration the engine shows. */
export type ReadyVm = Vm & { readonly ovf: string };

export interface Readiness {
  readonly api: EngineApi;
  readonly vm: VirtualMachine;
  /** The states in which the strategy can read the machine; all, where it reads no disk. */
  readonly states?: readonly string[];
}

/** States that last until a person acts. A machine leaves any other state by itself, or never. */
const LASTING: ReadonlySet<string> = new Set(["suspended", "paused"]);
/** How long a configuration may be missing without a visible reason, e.g. while it is being changed. */
const UNEXPLAINED_MS = 30_000;

/**
 * Reads a machine with its configuration as soon as it can be backed up: waits for temporary states (a migration, a
 * reboot, a lock) as long as for a conflict. The engine omits the configuration while the machine or any of its disks
 * is locked, also a disk that the run excludes.
 *
 * @throws MachineStateError when its state is permanent, or did not change in time
 * @throws ManagerError when the engine does not show the configuration to this user
 */
export async function readyMachine(
  { api, vm, states }: Readiness,
  { hooks, signal }: Pick<RunContext, "hooks" | "signal">,
): Promise<ReadyVm> {
  const wanted = states === undefined ? "show its configuration" : oneOf(states);
  let reason = "";
  let unexplainedSince: number | undefined;
  const wait = (why: string): ReturnType<typeof pending> => {
    if (why !== reason) observe(hooks.phase, { phase: "wait", detail: `for ${vm.name} to ${wanted}: ${why}` });
    reason = why;
    return pending(why);
  };
  try {
    return await api.wait(
      `${vm.name} to ${wanted}`,
      async (pollSignal) => {
        const now = await api.vms.get(vm.id, { allContent: true }, pollSignal);
        if (states !== undefined && !states.includes(now.status)) {
          const obstacle = lastingState({ ...vm, status: now.status }, states);
          if (obstacle !== undefined) throw obstacle;
          return wait(`it is ${now.status}`);
        }
        const { ovf } = now;
        if (ovf !== undefined) return arrived({ ...now, ovf });
        const lock = now.status === "image_locked" ? "it is image_locked" : await lockedDisk(api, vm, pollSignal);
        if (lock !== undefined) return wait(lock);
        unexplainedSince ??= performance.now();
        if (performance.now() - unexplainedSince >= UNEXPLAINED_MS) throw notShown(vm);
        return wait("the engine leaves its configuration out");
      },
      { deadlineMs: api.conflictDeadlineMs, signal },
    );
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    if (unexplainedSince !== undefined) throw notShown(vm, error);
    throw inState(vm, `did not become ready within ${api.conflictDeadlineMs / 1_000} s, ${reason}`, wanted, error);
  }
}

/** The error of a machine whose state is permanent and none of `states`, as `readyMachine` throws it. */
export function lastingState(vm: VirtualMachine, states: readonly string[]): MachineStateError | undefined {
  const { status } = vm;
  if (states.includes(status) || !LASTING.has(status)) return undefined;
  return inState(vm, `is ${status}`, oneOf(states));
}

/** Which disk of the machine is locked, in words. */
async function lockedDisk(api: EngineApi, vm: VirtualMachine, signal: AbortSignal): Promise<string | undefined> {
  const attachments = await api.vms.diskAttachments(vm.id, false, signal);
  const disks = await Promise.all(attachments.map(({ diskId }) => api.disks.find(diskId, signal)));
  const locked = disks.find((disk) => disk?.status === "locked");
  return locked === undefined ? undefined : `its disk ${locked.alias} is locked`;
}

function inState(vm: VirtualMachine, state: string, wanted: string, cause?: unknown): MachineStateError {
  return new MachineStateError(`${vm.name} ${state}; it must ${wanted}`, {
    cause,
    context: { vm: vm.id },
    hint: "The engine's tasks and events say what goes on with it. Run the backup again afterwards.",
  });
}

function notShown(vm: VirtualMachine, cause?: unknown): ManagerError {
  return new ManagerError(`the engine does not show the configuration of ${vm.name}`, {
    cause,
    context: { vm: vm.id },
    hint: "The user needs a role with rights on the whole virtual machine, e.g. UserVmManager.",
  });
}

/** `be up, down or paused` */
function oneOf(states: readonly string[]): string {
  return `be ${states.slice(0, -1).join(", ")} or ${states.at(-1)}`;
}
