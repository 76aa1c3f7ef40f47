import type { EngineApi, Vm } from "@ovault/ovirt";

import { ProxyError } from "./errors.ts";
import { readProxyIdentity, type ProxyIdentity } from "./proxy-identity.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The virtual machine that this process runs in. */
export interface ProxyVm {
  readonly vm: Vm;
  /** How it was identified, for people. */
  readonly how: string;
}

export interface FindProxy {
  readonly api: EngineApi;
  /** The configured name or id, if any. */
  readonly wanted: string | undefined;
}

/** @throws ProxyError when it is not found, with the reason and what to do */
export async function findProxy({ api, wanted }: FindProxy, signal: AbortSignal): Promise<ProxyVm> {
  if (wanted !== undefined) return await findByChoice(api, wanted, signal);
  return await findByIdentity(api, await readProxyIdentity(), signal);
}

async function findByChoice(api: EngineApi, wanted: string, signal: AbortSignal): Promise<ProxyVm> {
  // Engines refuse to look up a malformed id.
  const byId = UUID.test(wanted) ? await findInDetail(api, wanted, signal) : undefined;
  if (byId !== undefined) return { vm: byId, how: "configured" };
  const { id } = (await api.vms.byName(wanted, signal)) ?? {};
  const vm = id === undefined ? undefined : await findInDetail(api, id, signal);
  if (vm === undefined) {
    throw new ProxyError(`there is no virtual machine "${wanted}", which the configuration names as the proxy VM`, {
      hint: "Set `proxyVm` to the name or id of the virtual machine that ovault runs in.",
    });
  }
  return { vm, how: "configured" };
}

/** @throws ProxyError when no machine visible to this user has one of these ids */
export async function findByIdentity(api: EngineApi, identity: ProxyIdentity, signal: AbortSignal): Promise<ProxyVm> {
  if ("unknown" in identity) {
    throw new ProxyError(identity.unknown, {
      hint:
        "Only inside a virtual machine of the data center can disks be attached. Where this is one, run ovault as root or " +
        "set `proxyVm` to the machine's name.",
    });
  }
  for (const id of identity.ids) {
    const vm = await findInDetail(api, id, signal);
    if (vm !== undefined) return { vm, how: "found by the UUID of its hardware" };
  }
  throw new ProxyError("this machine is no virtual machine of the engine's", {
    context: { uuid: identity.ids[0] ?? null },
    hint: "Run ovault inside a virtual machine of the data center, which this user may see, or set `proxyVm`.",
  });
}

/** Engines report a machine's VirtIO-SCSI only with `all_content`. */
function findInDetail(api: EngineApi, id: string, signal: AbortSignal): Promise<Vm | undefined> {
  return api.vms.find(id, signal, { allContent: true });
}
