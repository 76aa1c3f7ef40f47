import { type Directory } from "./directory.ts";
import { StorageDomainError } from "./errors.ts";
import { FileDomain, openParts, type DomainParts } from "./file-domain.ts";
import { isUuid, requireUuid } from "./uuid.ts";

/** An engine's OVF of a machine with many snapshots and disks has some hundred KiB. */
const MOST_OVF_BYTES = 16 * 1024 * 1024;

/** An export domain: images, and the OVF of each machine that was exported to it (`master/vms/ID/ID.ovf`). */
export class ExportDomain extends FileDomain {
  readonly #machines: Directory;

  /** Opens the export domain of this id below `root`. @throws StorageDomainError when it is none */
  static override async open(root: string, id: string): Promise<ExportDomain> {
    const parts = await openParts(root, id);
    try {
      const { metadata, directory } = parts;
      if (metadata.class !== "export") {
        throw new StorageDomainError(`${directory.path} is a ${metadata.class} domain, not an export domain`);
      }
      return new ExportDomain(parts, await openMachines(directory));
    } catch (error) {
      await parts.images[Symbol.asyncDispose]();
      await parts.directory[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(parts: DomainParts, machines: Directory) {
    super(parts);
    this.#machines = machines;
  }

  /** Ids of the machines that lie in it, sorted. */
  async machineIds(): Promise<readonly string[]> {
    return (await this.#machines.names()).filter(isUuid);
  }

  /** Undefined when there is no such machine. @throws StorageDomainError when its directory has no OVF */
  async readOvf(machineId: string): Promise<string | undefined> {
    await using machine = await this.#machines.child(requireUuid(machineId, "the id of a machine"));
    if (machine === undefined) return undefined;
    const bytes = await machine.read(`${machineId}.ovf`, MOST_OVF_BYTES);
    if (bytes === undefined) throw new StorageDomainError(`${machine.path} has no OVF`);
    return bytes.toString();
  }

  /** Puts a machine in. Its images must be there: from now on the engine lists it. @throws when it is there already */
  async addMachine(machineId: string, ovf: string): Promise<void> {
    const machine = await this.#machines.make(requireUuid(machineId, "the id of a machine"), this.ownership);
    try {
      await machine.write(`${machineId}.ovf`, Buffer.from(ovf), this.ownership);
    } catch (error) {
      await this.#machines.remove(machineId);
      throw error;
    } finally {
      await machine[Symbol.asyncDispose]();
    }
    await this.#machines.sync();
  }

  /** Removes a machine's OVF, so that the engine lists it no more; its images stay. Missing is not an error. */
  async removeMachine(machineId: string): Promise<void> {
    await this.#machines.remove(requireUuid(machineId, "the id of a machine"));
    await this.#machines.sync();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#machines[Symbol.asyncDispose]();
    await super[Symbol.asyncDispose]();
  }
}

async function openMachines(domain: Directory): Promise<Directory> {
  await using master = await domain.child("master");
  const machines = await master?.child("vms");
  if (machines === undefined) {
    throw new StorageDomainError(`${domain.path} has no master/vms`, {
      hint: "Hosts make it when the domain is attached to a data center.",
    });
  }
  return machines;
}
