import { incomplete } from "../engine-fault.ts";
import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import { nicInterfaces, type NicState, type VmState } from "../engine-state.ts";
import { actionDone, created, ok, reference } from "../http/api-reply.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import { dataCenterOf, findNamed } from "../inventory.ts";
import { nicOf } from "../operations/nic-operations.ts";
import type { XmlNode } from "../xml/read-xml.ts";
import { requireKept } from "../xml/require-kept.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** Elements of a `nic` that the lab keeps, that clients send back, or that an engine drops (comment, description). */
const NIC_ELEMENTS = [
  "comment",
  "description",
  "interface",
  "linked",
  "mac",
  "name",
  "network",
  "plugged",
  "vm",
  "vnic_profile",
] as const;

/** `/vms/{vm}/nics`. */
export function nicRoutes({ core, nics }: EngineApi): readonly Route[] {
  return [
    get("/vms/:vm/nics", (request) => {
      const vm = core.vm(request.param("vm"));
      return ok("nics", { nic: vm.nics.map((nic) => nicContent(vm, nic)) });
    }),
    post("/vms/:vm/nics", (request) => {
      const vm = core.vm(request.param("vm"));
      const { name, vnicProfileId, ...nic } = readNic(core, vm, request.body);
      if (name === undefined) throw incomplete("Nic", "name");
      return created(
        "nic",
        nicContent(vm, nics.add(vm.id, { name, ...nic, ...(typeof vnicProfileId === "string" && { vnicProfileId }) })),
      );
    }),
    get("/vms/:vm/nics/:nic", (request) => {
      const vm = core.vm(request.param("vm"));
      return ok("nic", nicContent(vm, nicOf(vm, request.param("nic"))));
    }),
    put("/vms/:vm/nics/:nic", (request) => {
      const vm = core.vm(request.param("vm"));
      const nic = nicOf(vm, request.param("nic"));
      return ok("nic", nicContent(vm, nics.update(vm.id, nic.id, readNic(core, vm, request.body))));
    }),
    remove("/vms/:vm/nics/:nic", (request) => {
      const vm = core.vm(request.param("vm"));
      vm.nics.splice(vm.nics.indexOf(nicOf(vm, request.param("nic"))), 1);
      core.store.changed();
      return actionDone();
    }),
  ];
}

interface NicRequest extends Partial<Omit<NicState, "id" | "vnicProfileId">> {
  /** Null: the empty profile. */
  readonly vnicProfileId?: string | null;
}

/** Reads a `nic`; a network stands for its profile. */
function readNic(core: EngineCore, vm: VmState, body: XmlNode): NicRequest {
  requireKept(body, NIC_ELEMENTS, "a network interface");
  return {
    ...given("name", body.text("name")),
    ...given("mac", body.text("mac", "address")),
    ...given("interface", body.choice(nicInterfaces, "interface")),
    ...given("linked", body.flag("linked")),
    ...given("plugged", body.flag("plugged")),
    ...given("vnicProfileId", profileOf(core, vm, body)),
  };
}

function profileOf({ state }: EngineCore, vm: VmState, body: XmlNode): string | null | undefined {
  const { networks, vnicProfiles } = state.inventory;
  if (body.child("vnic_profile") !== undefined) return body.child("vnic_profile")?.attribute("id") ?? null;
  if (body.child("network") === undefined) return undefined;
  const { id } = dataCenterOf(state.inventory, vm.clusterId);
  const network = findNamed(
    networks.filter(({ dataCenterId }) => dataCenterId === id),
    "Nic",
    body,
    "network",
  );
  return vnicProfiles.find(({ networkId }) => networkId === network.id)?.id;
}

function given<K extends keyof NicRequest>(key: K, value: NicRequest[K] | undefined): Pick<NicRequest, K> | object {
  return value === undefined ? {} : { [key]: value };
}

function nicContent(vm: VmState, nic: NicState): XmlObject {
  return {
    ...reference(`/vms/${vm.id}/nics`, nic.id),
    name: nic.name,
    interface: nic.interface,
    linked: nic.linked,
    mac: { address: nic.mac },
    plugged: nic.plugged,
    vm: reference("/vms", vm.id),
    vnic_profile: nic.vnicProfileId === undefined ? undefined : reference("/vnicprofiles", nic.vnicProfileId),
  };
}
