import type { EngineCore } from "../engine-core.ts";
import { badRequest, conflict, notFound } from "../engine-fault.ts";
import type { VmState } from "../engine-state.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import { nameIsUsed, nameUsed } from "../vm-names.ts";
import type { DataDomainOperations } from "./data-domain-operations.ts";
import type { UnregisteredDiskOperations } from "./unregistered-disk-operations.ts";
import type { VmOperations } from "./vm-operations.ts";

export interface RegisterRequest {
  readonly clusterId: string;
  readonly name?: string | undefined;
  /** With ids and MAC addresses of its own. */
  readonly clone: boolean;
  /** Registers a machine some of whose disks are missing. */
  readonly allowPartial: boolean;
  readonly correlationId: string;
}

/** Machines in the OVF stores of a data domain that are not in the engine's database. */
export class UnregisteredVmOperations {
  readonly #core: EngineCore;
  readonly #dataDomains: DataDomainOperations;
  readonly #disks: UnregisteredDiskOperations;
  readonly #vms: VmOperations;

  constructor(
    core: EngineCore,
    operations: {
      readonly dataDomains: DataDomainOperations;
      readonly unregisteredDisks: UnregisteredDiskOperations;
      readonly vms: VmOperations;
    },
  ) {
    this.#core = core;
    this.#dataDomains = operations.dataDomains;
    this.#disks = operations.unregisteredDisks;
    this.#vms = operations.vms;
  }

  /** OVFs by the ids of the machines. */
  async list(domainId: string): Promise<ReadonlyMap<string, string>> {
    const all = await this.#dataDomains.ovfs(domainId);
    return new Map([...all].filter(([vmId]) => !(vmId in this.#core.state.vms)));
  }

  /**
   * Registers its disks that lie there, then makes it from its OVF.
   * @throws EngineFault 404 for a machine that is not in a store, 409 for a name that is used or disks that are missing
   */
  async register(domainId: string, vmId: string, request: RegisterRequest): Promise<VmState> {
    const ovf = (await this.list(domainId)).get(vmId);
    if (ovf === undefined) throw notFound();
    const { name: ownName, disks } = readOvf(ovf);
    const { clusterId, clone, allowPartial, correlationId, name = ownName } = request;
    if (name === undefined) throw badRequest("Cannot import VM. Invalid OVF configuration.");
    if (nameIsUsed(this.#core.state, name, clusterId)) throw nameUsed("import VM");
    const here = new Set((await this.#disks.list(domainId)).map(({ id }) => id));
    const unknown = disks.map(({ diskId }) => diskId).filter((diskId) => !(diskId in this.#core.state.disks));
    const missing = unknown.filter((diskId) => !here.has(diskId));
    if (missing.length > 0 && !allowPartial) {
      throw conflict(`Cannot import VM. The following disks don't exist on the Storage Domain: ${missing.join(", ")}.`);
    }
    for (const diskId of unknown) if (here.has(diskId)) await this.#disks.register(domainId, diskId);
    return this.#vms.create({ name, clusterId, settings: {}, ovf, regenerateIds: clone, correlationId });
  }
}
