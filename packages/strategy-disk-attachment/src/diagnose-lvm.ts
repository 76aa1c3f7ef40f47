import type { Diagnosis } from "@ovault/contract";

import { deviceNames } from "./device-names.ts";
import { admits } from "./lvm-filter.ts";
import { readLvmSettings, type LvmSettings } from "./lvm-settings.ts";
import { runTool } from "./run-tool.ts";

const TIMEOUT_MS = 30_000;
/** Names that a guest's disk might get here. */
const NAMES_OF_A_GUEST = [
  "/dev/sdzz",
  "/dev/sdzz3",
  "/dev/disk/by-path/pci-0000:00:06.0-scsi-0:0:0:99",
  ...deviceNames("0f3c1d5e-7a86-4b52-9d0a-6f1e2c3b4a59").map((name) => `/dev/disk/by-id/${name}`),
];

/**
 * Whether LVM on this machine ignores the disks of guests: it must not activate their volume groups, which writes to
 * them, holds their devices, and confuses two groups of one name.
 */
export async function diagnoseLvm(signal: AbortSignal): Promise<Diagnosis> {
  const name = "LVM keeps off";
  const settings = await readLvmSettings(signal);
  if (settings === undefined) return { name, status: "ok", detail: "LVM is not installed", hint: null };
  const shield = whatShields(settings);
  if (shield !== undefined) return { name, status: "ok", detail: shield, hint: null };
  return {
    name,
    status: "warn",
    detail: "LVM of this machine takes every disk that appears for its own, also those of guests",
    hint: whatToWrite(settings, await ownVolumes(signal)),
  };
}

function whatShields({ usesDevicesFile, devicesFile, filter, globalFilter }: LvmSettings): string | undefined {
  if (usesDevicesFile) return `only what is in ${devicesFile} is looked at`;
  if (!admitsGuests(globalFilter)) return "the global filter rejects what it does not name";
  if (!admitsGuests(filter)) return "the filter rejects what it does not name";
  return undefined;
}

/** True in doubt. */
function admitsGuests(filter: readonly string[]): boolean {
  try {
    return admits(filter, NAMES_OF_A_GUEST);
  } catch {
    return true;
  }
}

function whatToWrite({ devicesFile }: LvmSettings, own: readonly string[]): string {
  const accepted = own.map((device) => `"a|^${device}$|", `).join("");
  const byFilter = `in lvm.conf, devices { global_filter = [ ${accepted}"r|.*|" ] }`;
  if (devicesFile === undefined) return `Write ${byFilter}.`;
  const adding = own.map((device) => `lvmdevices --adddev ${device}`).join("; ") || `touch ${devicesFile}`;
  return `Write in lvm.conf, devices { use_devicesfile = 1 }, and run: ${adding}. Or, ${byFilter}.`;
}

/** The physical volumes of this machine while no guest disk is attached. */
async function ownVolumes(signal: AbortSignal): Promise<readonly string[]> {
  const call = { timeoutMs: TIMEOUT_MS, signal };
  const text = await runTool("pvs", ["--noheadings", "--options", "pv_name"], call).catch(() => "");
  signal.throwIfAborted();
  return (text ?? "").split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}
