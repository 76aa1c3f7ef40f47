import { stat } from "node:fs/promises";

import { plural, type Diagnosis } from "@ovault/contract";
import type { EngineApi } from "@ovault/ovirt";

import { diagnoseLvm } from "./diagnose-lvm.ts";
import { ProxyError } from "./errors.ts";
import { findProxy, type ProxyVm } from "./find-proxy.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { proxyProblem } from "./proxy-problem.ts";

const PROXY = "proxy VM";

/**
 * Checks the requirements for attaching disks. Reports nothing where ovault is in no proxy VM and not meant to be;
 * where it happens to be in one, problems are not failures.
 */
export async function diagnose(
  api: EngineApi,
  { proxyVm, deviceDirectory }: DiskAttachmentOptions,
  signal: AbortSignal,
): Promise<readonly Diagnosis[]> {
  const meant = proxyVm !== undefined;
  let proxy: ProxyVm;
  try {
    proxy = await findProxy({ api, wanted: proxyVm }, signal);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    const { message: detail, hint = null } = error;
    return [{ name: PROXY, detail, ...(meant ? { status: "fail", hint } : { status: "skip", hint: null }) }];
  }
  const broken = meant ? "fail" : "warn";
  return [
    await diagnoseProxy(api, proxy, broken, signal),
    await diagnoseDirectory(deviceDirectory, broken),
    await diagnoseLvm(signal),
  ];
}

async function diagnoseProxy(
  api: EngineApi,
  { vm, how }: ProxyVm,
  broken: Diagnosis["status"],
  signal: AbortSignal,
): Promise<Diagnosis> {
  const unfit = proxyProblem(vm);
  if (unfit !== undefined) {
    const hint =
      "VirtIO-SCSI is among the resource settings of the virtual machine; it takes effect when it is started anew.";
    return { name: PROXY, status: broken, detail: unfit, hint };
  }
  const snapshots = (await api.snapshots.list(vm.id, signal)).filter(({ type }) => type === "regular");
  if (snapshots.length === 0) return { name: PROXY, status: "ok", detail: `${vm.name}, ${how}`, hint: null };
  return {
    name: PROXY,
    status: "warn",
    detail: `${vm.name}, ${how}, has ${plural(snapshots.length, "snapshot")} of its own`,
    hint: "One that is made while disks of others are attached holds them too. Delete them, and make none while backups run.",
  };
}

async function diagnoseDirectory(directory: string, broken: Diagnosis["status"]): Promise<Diagnosis> {
  const name = "devices";
  const isThere = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isThere) return { name, status: "ok", detail: directory, hint: null };
  return {
    name,
    status: broken,
    detail: `${directory} is no directory`,
    hint: "udev makes /dev/disk/by-id when the first disk with a serial appears. Does it run, and is `deviceDirectory` right?",
  };
}
