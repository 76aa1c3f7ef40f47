import { incomplete, notFound } from "../engine-fault.ts";
import type { EngineApi } from "../engine-api.ts";
import type { NicState, VmState } from "../engine-state.ts";
import { actionDone, created, ok, reference } from "../http/api-reply.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** `/vms/{vm}/nics`. */
export function nicRoutes({ core, vms }: EngineApi): readonly Route[] {
  return [
    get("/vms/:vm/nics", (request) => {
      const vm = core.vm(request.param("vm"));
      return ok("nics", { nic: vm.nics.map((nic) => nicContent(vm, nic)) });
    }),
    post("/vms/:vm/nics", (request) => {
      const { body } = request;
      const vm = core.vm(request.param("vm"));
      const name = body.text("name");
      if (name === undefined) throw incomplete("Nic", "name");
      const mac = body.text("mac", "address");
      const vnicProfileId = body.child("vnic_profile")?.attribute("id");
      const nic = vms.addNic(vm.id, {
        name,
        ...(mac === undefined ? {} : { mac }),
        ...(vnicProfileId === undefined ? {} : { vnicProfileId }),
      });
      return created("nic", nicContent(vm, nic));
    }),
    get("/vms/:vm/nics/:nic", (request) => {
      const vm = core.vm(request.param("vm"));
      return ok("nic", nicContent(vm, nicOf(vm, request.param("nic"))));
    }),
    put("/vms/:vm/nics/:nic", (request) => {
      const vm = core.vm(request.param("vm"));
      const nic = nicOf(vm, request.param("nic"));
      nic.name = request.body.text("name") ?? nic.name;
      nic.mac = request.body.text("mac", "address") ?? nic.mac;
      const profile = request.body.child("vnic_profile")?.attribute("id");
      if (profile !== undefined) nic.vnicProfileId = profile;
      core.store.changed();
      return ok("nic", nicContent(vm, nic));
    }),
    remove("/vms/:vm/nics/:nic", (request) => {
      const vm = core.vm(request.param("vm"));
      vm.nics.splice(vm.nics.indexOf(nicOf(vm, request.param("nic"))), 1);
      core.store.changed();
      return actionDone();
    }),
  ];
}

/** @throws EngineFault 404 */
function nicOf(vm: VmState, id: string): NicState {
  const nic = vm.nics.find((candidate) => candidate.id === id);
  if (nic === undefined) throw notFound();
  return nic;
}

function nicContent(vm: VmState, nic: NicState): XmlObject {
  return {
    ...reference(`/vms/${vm.id}/nics`, nic.id),
    name: nic.name,
    interface: "virtio",
    linked: true,
    mac: { address: nic.mac },
    plugged: true,
    vm: reference("/vms", vm.id),
    vnic_profile: nic.vnicProfileId === undefined ? undefined : reference("/vnicprofiles", nic.vnicProfileId),
  };
}
