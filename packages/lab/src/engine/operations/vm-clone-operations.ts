import { randomUUID } from "node:crypto";

import { emptyVm } from "../empty-vm.ts";
import { conflict, unknownEntity } from "../engine-fault.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import type { VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { dataCenterOf } from "../inventory.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import { nameIsUsed, nameUsed, requireValidName } from "../vm-names.ts";
import { changedSettings, requireConsistent } from "../vm-settings.ts";
import type { DiskOperations } from "./disk-operations.ts";
import type { NicOperations } from "./nic-operations.ts";
import type { VmRequest } from "./vm-operations.ts";

/** Machines of their own, made from snapshots of others. */
export class VmCloneOperations {
  readonly #core: EngineCore;
  readonly #disks: DiskOperations;
  readonly #nics: NicOperations;

  constructor(core: EngineCore, operations: { readonly disks: DiskOperations; readonly nics: NicOperations }) {
    this.#core = core;
    this.#disks = operations.disks;
    this.#nics = operations.nics;
  }

  /**
   * Answers at once with a machine that is locked until its disks are copied, and the snapshot with it; the machine
   * vanishes on failure (AddVmFromSnapshotCommand of oVirt engine 3.6).
   */
  start(request: VmRequest, snapshotId: string): VmState {
    const action = "add VM";
    const { clusterId, name = "" } = request;
    const found = this.#core.snapshot(snapshotId);
    if (found === undefined) throw unknownEntity(snapshotId);
    const { vm: source, snapshot } = found;
    this.#core.requireFree(source, action);
    requireValidName(name, action);
    if (this.#core.faults.mode("low-space") !== "off") {
      throw conflict(`Cannot ${action}. Low disk space on Storage Domain.`);
    }
    if (nameIsUsed(this.#core.state, name, clusterId)) throw nameUsed(action);
    const configuration = readOvf(snapshot.ovf);
    const settings = changedSettings(configuration.settings, request.settings);
    requireConsistent(settings, action);
    for (const domain of request.domainsOfCopies?.values() ?? []) this.#requireDomain(domain, clusterId, action);
    const vm: VmState = {
      ...emptyVm(randomUUID(), name, clusterId),
      settings,
      status: "image_locked",
      isIncomplete: true,
      nics: configuration.nics.map((nic) => this.#nics.imported(nic, clusterId, true)),
    };
    const copies = snapshot.volumes.map(({ diskId, volumeId }) => {
      const disk = this.#disks.announceCopy(diskId, request.domainsOfCopies?.get(diskId));
      const attachment = configuration.disks.find((one) => one.diskId === diskId);
      if (attachment !== undefined) vm.attachments.push({ ...attachment, diskId: disk.id });
      return { disk, from: { diskId, volumeId } };
    });
    this.#core.state.vms[vm.id] = vm;
    snapshot.status = "locked";
    const unlock = this.#core.lock(source, `Creating VM ${name} from Snapshot ${snapshot.description}`);
    this.#core.runJob(`Creating VM ${name} from Snapshot ${snapshot.description}`, request.correlationId, async () => {
      try {
        await this.#core.background.steps();
        await this.#core.hang("clone-hang");
        for (const { disk, from } of copies) {
          await this.#disks.copyNow(disk, from);
          this.#strikeClone();
        }
        vm.status = "down";
        delete vm.isIncomplete;
        this.#core.journal.event(eventCodes.vmAdded, {
          description: `VM ${name} creation has been completed.`,
          vmId: vm.id,
          correlationId: request.correlationId,
        });
      } catch (error) {
        if (this.#core.background.stopping) throw error; // the next start removes what is incomplete
        this.#core.journal.event(eventCodes.vmNotAdded, {
          description: `Failed to complete VM ${name} creation: ${reasonOf(error)}`,
          severity: "error",
          vmId: vm.id,
          correlationId: request.correlationId,
        });
        delete this.#core.state.vms[vm.id];
        for (const { disk } of copies) this.#disks.drop(disk);
        throw error;
      } finally {
        snapshot.status = "ok";
        unlock();
      }
    });
    return vm;
  }

  /** @throws EngineFault 409 for a storage domain of another data centre, 404 for none. */
  #requireDomain(id: string, clusterId: string, action: string): void {
    const { inventory } = this.#core.state;
    const domain = inventory.storageDomains.find((one) => one.id === id);
    if (domain === undefined) throw unknownEntity(`storage_domain: id=${id}`);
    if (domain.dataCenterId !== dataCenterOf(inventory, clusterId).id) {
      throw conflict(`Cannot ${action}. The Storage Domain ${domain.name} is not in the Data Center of the VM.`);
    }
  }

  #strikeClone(): void {
    const { faults } = this.#core;
    if (faults.strikes("clone-failure")) throw new Error("the host could not copy a disk");
    if (faults.strikes("clone-no-space")) throw new Error("No space left on device");
  }
}
