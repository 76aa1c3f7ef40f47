import { readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";

import { systemErrorCode } from "./system-error.ts";

/**
 * Identifies one process for ever, so that a later process can tell whether it still runs: within one boot and one PID
 * namespace, a pid and its start time belong to one process only. The last three are null on systems without /proc.
 */
export interface ProcessIdentity {
  /** Host name. */
  readonly node: string;
  readonly pid: number;
  /** The kernel's random id of this boot (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string | null;
  /** Containers of one host share its boot, not its process ids (/proc/self/ns/pid). */
  readonly pidNamespace: string | null;
  /** Clock ticks from boot to the start of the process (field 22 of /proc/PID/stat). */
  readonly startTicks: number | null;
}

/** `unknown`: it ran on another machine, boot or container, or this system has no /proc. */
export type ProcessState = "alive" | "dead" | "unknown";

const own = identifyThisProcess();

/** The identity of this process. */
export function processIdentity(): ProcessIdentity {
  return own;
}

/** Whether the process still runs. `alive` and `dead` are certain. */
export async function processState(identity: ProcessIdentity): Promise<ProcessState> {
  const comparable =
    identity.startTicks !== null &&
    identity.bootId !== null &&
    identity.bootId === own.bootId &&
    identity.pidNamespace === own.pidNamespace;
  if (!comparable) return "unknown";
  if (!processExists(identity.pid)) return "dead";
  const stat = await readStat(identity.pid);
  // Hidden by the `hidepid` mount option, or just ended: the pid alone decides.
  if (stat === undefined) return processExists(identity.pid) ? "alive" : "dead";
  return stat.startTicks === identity.startTicks && !stat.ended ? "alive" : "dead";
}

function identifyThisProcess(): ProcessIdentity {
  const base = { node: hostname(), pid: process.pid };
  try {
    return {
      ...base,
      bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      pidNamespace: readlinkSync("/proc/self/ns/pid"),
      startTicks: parseStat(readFileSync("/proc/self/stat", "utf8")).startTicks,
    };
  } catch {
    return { ...base, bootId: null, pidNamespace: null, startTicks: null };
  }
}

function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists and belongs to another user.
    return systemErrorCode(error) !== "ESRCH";
  }
}

async function readStat(pid: number): Promise<ReturnType<typeof parseStat> | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Counts fields after the program name, which is in parentheses and may itself hold blanks and parentheses. */
function parseStat(text: string): { startTicks: number; ended: boolean } {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0] ?? "";
  // A zombie (Z) has ended; its parent has not reaped it yet.
  return { startTicks: Number(fields[19]), ended: state === "Z" || state === "X" };
}
