import { access } from "node:fs/promises";
import { join } from "node:path";

import { runTool } from "./run-tool.ts";

const TIMEOUT_MS = 30_000;
const SETTING = /^\s*(\w+)=(.*)$/gm;

/** The settings that decide which devices LVM on this machine uses. */
export interface LvmSettings {
  /** Path of the devices file, which may not exist; undefined where this LVM does not support one. */
  readonly devicesFile: string | undefined;
  /** LVM uses only devices listed in the file. */
  readonly usesDevicesFile: boolean;
  readonly filter: readonly string[];
  readonly globalFilter: readonly string[];
}

/** The settings in force, defaults included; undefined where LVM is not installed. */
export async function readLvmSettings(signal: AbortSignal): Promise<LvmSettings | undefined> {
  const text = await runTool("lvmconfig", ["--typeconfig", "full", "devices"], { timeoutMs: TIMEOUT_MS, signal });
  if (text === undefined) return undefined;
  const settings = new Map([...text.matchAll(SETTING)].map(([, name = "", value = ""]) => [name, parse(value)]));
  const file = settings.get("devicesfile");
  const devicesFile =
    typeof file === "string" && file !== ""
      ? join(process.env["LVM_SYSTEM_DIR"] ?? "/etc/lvm", "devices", file)
      : undefined;
  return {
    devicesFile,
    // A missing file counts as unused.
    usesDevicesFile: settings.get("use_devicesfile") === 1 && devicesFile !== undefined && (await exists(devicesFile)),
    filter: texts(settings.get("filter")),
    globalFilter: texts(settings.get("global_filter")),
  };
}

/** LVM writes numbers, texts and lists as JSON does. */
function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function texts(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((one) => typeof one === "string");
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}
