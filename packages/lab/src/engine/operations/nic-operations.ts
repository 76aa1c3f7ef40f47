import { randomUUID } from "node:crypto";

import { badRequest, conflict, notFound } from "../engine-fault.ts";
import type { EngineCore } from "../engine-core.ts";
import type { Inventory, NicState, VmState } from "../engine-state.ts";
import { dataCenterOf } from "../inventory.ts";
import type { OvfNic } from "../ovf/read-ovf.ts";

const NEW_NIC = { interface: "virtio", linked: true, plugged: true } as const;
const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** The prefix of the engine's MAC pool. */
const MAC_PREFIX = "56:6f";

/** Network cards of machines. */
export class NicOperations {
  readonly #core: EngineCore;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  /** Absent fields of a new card get the engine's defaults. */
  add(vmId: string, nic: Partial<Omit<NicState, "id">> & Pick<NicState, "name">): NicState {
    const vm = this.#core.vm(vmId);
    const made: NicState = { ...NEW_NIC, mac: this.#freeMac(), ...nic, id: randomUUID() };
    this.#requireValid(vm, made, "add Network interface");
    vm.nics.push(made);
    this.#core.store.changed();
    return made;
  }

  /** `vnicProfileId` null: the empty profile. */
  update(
    vmId: string,
    nicId: string,
    {
      vnicProfileId,
      ...changes
    }: Partial<Omit<NicState, "id" | "vnicProfileId">> & { readonly vnicProfileId?: string | null },
  ): NicState {
    const vm = this.#core.vm(vmId);
    const nic = nicOf(vm, nicId);
    const changed: NicState = { ...nic, ...changes };
    if (vnicProfileId === null) delete changed.vnicProfileId;
    else if (vnicProfileId !== undefined) changed.vnicProfileId = vnicProfileId;
    this.#requireValid(vm, changed, "edit Network interface");
    vm.nics.splice(vm.nics.indexOf(nic), 1, changed);
    this.#core.store.changed();
    return changed;
  }

  /** @param except id of a card that does not count */
  ownerOfMac(mac: string, except?: string): VmState | undefined {
    const isSame = (nic: NicState): boolean => nic.id !== except && nic.mac.toLowerCase() === mac.toLowerCase();
    return Object.values(this.#core.state.vms).find((vm) => vm.nics.some(isSame));
  }

  /** Profiles of the networks of a cluster: all of its data centre. */
  profilesOf(clusterId: string): Inventory["vnicProfiles"] {
    const { inventory } = this.#core.state;
    const { id } = dataCenterOf(inventory, clusterId);
    const networkIds = inventory.networks
      .filter(({ dataCenterId }) => dataCenterId === id)
      .map((network) => network.id);
    return inventory.vnicProfiles.filter(({ networkId }) => networkIds.includes(networkId));
  }

  /** The card of an OVF for a machine in this cluster. `regenerate`: with a MAC address of its own. */
  imported({ profile, mac, ...nic }: OvfNic, clusterId: string, regenerate: boolean): NicState {
    const found = this.profilesOf(clusterId).find(({ name }) => name === profile);
    return {
      ...nic,
      id: randomUUID(),
      mac: mac !== undefined && !regenerate ? mac : this.#freeMac(),
      ...(found !== undefined && { vnicProfileId: found.id }),
    };
  }

  #requireValid(vm: VmState, nic: NicState, action: string): void {
    const others = vm.nics.filter(({ id }) => id !== nic.id);
    if (others.some(({ name }) => name === nic.name)) throw conflict("Network interface name is already in use");
    if (!MAC_PATTERN.test(nic.mac)) {
      throw badRequest(
        'MAC address must be in format "HH:HH:HH:HH:HH:HH" where H is a hexadecimal character (either a digit or A-F, case is insignificant).',
      );
    }
    const owner = this.ownerOfMac(nic.mac, nic.id);
    if (owner !== undefined)
      throw conflict(`MAC Address ${nic.mac} is already in use by VM or snapshot: ${owner.name}.`);
    const { vnicProfileId } = nic;
    if (vnicProfileId === undefined) return;
    if (!this.#core.state.inventory.vnicProfiles.some(({ id }) => id === vnicProfileId)) {
      throw badRequest(`Cannot ${action}. The specified VM network interface profile doesn't exist.`);
    }
    if (!this.profilesOf(vm.clusterId).some(({ id }) => id === vnicProfileId)) {
      throw conflict("The specified Logical Network doesn't exist in the current Cluster.");
    }
  }

  #freeMac(): string {
    const tail = randomUUID().slice(0, 8).match(/../g) ?? [];
    return [MAC_PREFIX, ...tail].join(":");
  }
}

/** @throws EngineFault 404 */
export function nicOf(vm: VmState, id: string): NicState {
  const nic = vm.nics.find((candidate) => candidate.id === id);
  if (nic === undefined) throw notFound();
  return nic;
}
