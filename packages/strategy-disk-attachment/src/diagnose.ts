import { stat } from "node:fs/promises";

import type { Diagnosis } from "@ovault/core";
import type { EngineApi } from "@ovault/ovirt";

import { diagnoseLvm } from "./diagnose-lvm.ts";
import { ProxyError } from "./errors.ts";
import { findProxy } from "./find-proxy.ts";
import type { ProxyVm } from "./find-proxy.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { whyNoProxy } from "./why-no-proxy.ts";

/** What must hold here for disks to be attached. Where ovault is in no proxy VM, nor means to be, there is nothing to say. */
export async function diagnose(
  api: EngineApi,
  { proxyVm, deviceDirectory }: DiskAttachmentOptions,
  signal: AbortSignal,
): Promise<readonly Diagnosis[]> {
  const name = "proxy VM";
  let proxy: ProxyVm;
  try {
    proxy = await findProxy({ api, wanted: proxyVm }, signal);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    const { message: detail, hint = null } = error;
    return [
      { name, status: proxyVm === undefined ? "skip" : "fail", detail, hint: proxyVm === undefined ? null : hint },
    ];
  }
  return [diagnoseProxy(proxy), await diagnoseDirectory(deviceDirectory), await diagnoseLvm(signal)];
}

function diagnoseProxy({ vm, how }: ProxyVm): Diagnosis {
  const name = "proxy VM";
  const unfit = whyNoProxy(vm);
  if (unfit === undefined) return { name, status: "ok", detail: `${vm.name}, ${how}`, hint: null };
  return {
    name,
    status: "fail",
    detail: unfit,
    hint: "VirtIO-SCSI is among the resource settings of the virtual machine; it takes effect when it is started anew.",
  };
}

async function diagnoseDirectory(directory: string): Promise<Diagnosis> {
  const name = "devices";
  const isThere = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isThere) return { name, status: "ok", detail: directory, hint: null };
  return {
    name,
    status: "fail",
    detail: `${directory} is no directory`,
    hint: "udev makes /dev/disk/by-id when the first disk with a serial appears. Does it run, and is `deviceDirectory` right?",
  };
}
