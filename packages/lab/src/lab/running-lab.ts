import { randomUUID } from "node:crypto";
import { access, constants, readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { compareNatural, NotFoundError, UsageError, systemErrorCode } from "@ovault/contract";

import { ownAttachments } from "../engine/attachments.ts";
import type { AttachmentState, DiskState, EngineState, HostState, VmState } from "../engine/engine-state.ts";
import type { Engine } from "../engine/engine.ts";
import type { AlterAnswer } from "../engine/http/https-server.ts";
import { parseFaultName, type FaultMode, type FaultStatus, type FaultSwitches } from "../engine/faults.ts";
import { clusterNamed, known, storageDomainNamed } from "../engine/inventory.ts";
import type { VmSettings } from "../engine/vm-settings.ts";
import type { GuestWrite, Hypervisor } from "../hypervisor/hypervisor.ts";
import type { LabHosts } from "../hosts/lab-hosts.ts";
import type { ImageioDaemon } from "../imageio/imageio-daemon.ts";
import type { LabStaging, LabStagingPlace } from "../staging/lab-staging.ts";
import { ControlServer } from "./control-server.ts";
import type { HostChange } from "./host-changes.ts";
import type {
  LabControl,
  LabDataDomain,
  LabDisk,
  LabGuest,
  LabHostSsh,
  LabHostStatus,
  LabStatus,
  LabVm,
  Leftovers,
  NewDisk,
} from "./lab-control.ts";
import type { LabDirectory } from "./lab-directory.ts";
import type { LabVmRequest } from "./lab-vm-request.ts";
import { named } from "./named.ts";

const PROXY_NAME = "ovault-proxy";
/** Name of the directory that shows the proxy's devices, in that of the lab. */
const PROXY_DEVICES = "devices";
const PROXY_DISK_BYTES = 16 * 1024 * 1024;

export interface RunningLabParts {
  readonly directory: LabDirectory;
  readonly engine: Engine;
  readonly hypervisor: Hypervisor;
  readonly hosts: LabHosts;
  readonly imageio: ImageioDaemon;
  readonly staging: LabStaging | undefined;
  readonly faults: FaultSwitches;
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly caFingerprint: string;
}

/** A lab in this process. */
export class RunningLab implements LabControl {
  readonly directory: string;
  /** URL of the API. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly caFile: string;
  /** SHA-256, upper-case hex pairs with colons. */
  readonly caFingerprint: string;
  /** File of the private key that logs in to the hosts. */
  readonly loginKey: string;
  /** What the hosts have at /rhev/data-center. */
  readonly dataCenters: string;
  readonly #parts: RunningLabParts;
  #control: ControlServer | undefined;
  #stopped: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();

  constructor(parts: RunningLabParts) {
    this.#parts = parts;
    this.directory = parts.directory.path;
    this.url = parts.url;
    this.user = parts.user;
    this.password = parts.password;
    this.caFile = parts.directory.caFile;
    this.caFingerprint = parts.caFingerprint;
    this.loginKey = parts.directory.loginKey;
    this.dataCenters = parts.directory.dataCenters;
  }

  /** Lets other processes control this lab, over the socket in its directory. */
  async acceptControl(): Promise<void> {
    this.#control = await ControlServer.listen(this.#parts.directory.socket, this);
  }

  /** Resolves when the lab has stopped, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** All machines as they are now, also those made by a restore. */
  get vms(): readonly LabVm[] {
    return Object.values(this.#state.vms).map((vm) => ({
      id: vm.id,
      name: vm.name,
      status: vm.status,
      disks: this.#disksOf(vm).map((disk) => this.#labDisk(disk)),
      ...(vm.hostId !== undefined && { host: known(this.#state.inventory.hosts, vm.hostId).name }),
      ...(vm.devices !== undefined && { devices: resolve(this.directory, vm.devices) }),
    }));
  }

  get hosts(): readonly LabHostStatus[] {
    return this.#state.inventory.hosts.map((host) => {
      const { id, name, clusterId, status = "up" } = host;
      return { id, name, cluster: this.#clusterName(clusterId), status, ...this.#sshOf(host) };
    });
  }

  /** Folders that the lab serves over NFS as export domains. */
  get staging(): readonly LabStagingPlace[] {
    return this.#parts.staging?.places ?? [];
  }

  /** Data domains on NFS servers of others. */
  get dataDomains(): readonly LabDataDomain[] {
    const { dataDomains } = this.#parts.engine;
    return this.#state.dataDomains.map(({ id, name, status }) => {
      const renewals = dataDomains.renewals(id);
      return { id, name, status, ...(renewals !== undefined && { renewals }) };
    });
  }

  async status(): Promise<LabStatus> {
    const { version, product } = this.#state;
    return {
      directory: this.directory,
      pid: process.pid,
      url: this.url,
      user: this.user,
      caFile: this.caFile,
      caFingerprint: this.caFingerprint,
      engineVersion: version,
      product,
      vms: this.vms,
      hosts: this.hosts,
      loginKey: this.loginKey,
      dataCenters: this.dataCenters,
      staging: this.staging,
      dataDomains: this.dataDomains,
      faults: this.#parts.faults.list().filter(({ mode }) => mode !== "off"),
      warnings: await this.#warnings(),
    };
  }

  async write(vmName: string, diskName: string, write: GuestWrite): Promise<void> {
    const vm = this.#vm(vmName);
    if (vm.status !== "up") {
      throw new UsageError(`VM ${vm.name} is ${vm.status}: only a running guest writes`, {
        hint: `Start it first: ovault lab has it ${vm.status}.`,
      });
    }
    const { id, alias, provisionedBytes } = this.#diskOf(vm, diskName);
    if (write.offset + write.length > provisionedBytes) {
      throw new UsageError(`disk ${alias} ends at ${provisionedBytes} bytes, before the end of the write`, {
        hint: "Choose a smaller offset or length.",
      });
    }
    await this.#parts.hypervisor.guestWrite(id, write);
  }

  async view(diskName: string, rawPath: string): Promise<void> {
    const { id } = this.#anyDisk(diskName);
    await access(dirname(rawPath), constants.W_OK).catch((error: unknown) => {
      throw new UsageError(`${dirname(rawPath)} is no directory that can be written to`, { cause: error });
    });
    await this.#parts.hypervisor.view(id, rawPath);
  }

  async fault(name: string, mode: FaultMode): Promise<void> {
    await this.#parts.faults.set(parseFaultName(name), mode);
  }

  faults(): Promise<readonly FaultStatus[]> {
    return Promise.resolve(this.#parts.faults.list());
  }

  /**
   * Rewrites the XML of the API's answers, to play an engine that omits or changes elements. Only in the process of the
   * lab; `undefined` ends it.
   */
  alterAnswers(alter: AlterAnswer | undefined): void {
    this.#parts.engine.alterAnswers(alter);
  }

  async powerOff(vmName: string, options: { readonly graceful: boolean }): Promise<void> {
    await this.#parts.engine.vms.stopNow(this.#vm(vmName).id, options);
  }

  async powerOn(vmName: string, host?: string): Promise<void> {
    const vm = this.#vm(vmName);
    if (vm.status === "down") await this.#parts.engine.vms.startNow(vm.id, this.#onHost(host));
  }

  async migrate(vmName: string, host?: string): Promise<void> {
    await this.#parts.engine.vms.migrateNow(this.#vm(vmName).id, this.#onHost(host));
  }

  async changeHost(hostName: string, change: HostChange): Promise<void> {
    const host = this.#host(hostName);
    const { hosts, engine } = this.#parts;
    switch (change) {
      case "power-off":
      case "fence":
        await hosts.get(host.id).stop();
        await engine.vms.hostFailed(host.id);
        return engine.setHostStatus(host, change === "fence" ? "down" : "non_responsive");
      case "power-on":
        await hosts.get(host.id).start();
        return engine.setHostStatus(host, "up");
      case "suspend":
        return hosts.get(host.id).suspend();
      case "resume":
        return hosts.get(host.id).resume();
      case "new-key":
        return hosts.get(host.id).renewKeys();
      default:
        return engine.setHostStatus(host, change);
    }
  }

  guest(vmName: string): Promise<LabGuest> {
    const { id } = this.#vm(vmName);
    const { guests } = this.#parts.engine;
    return Promise.resolve({ frozen: guests.isFrozen(id), events: [...guests.eventsOf(id)] });
  }

  async addDisk(vmName: string, { alias, virtualBytes, format, interface: connection }: NewDisk): Promise<LabDisk> {
    const vm = this.#vm(vmName);
    const { disks, attachments } = this.#parts.engine;
    const disk = await disks.createNow({
      alias,
      provisionedBytes: virtualBytes,
      format,
      backup: format === "cow" ? "incremental" : "none",
    });
    await attachments.attach(
      vm.id,
      newAttachment(disk.id, { bootable: false, interface: connection ?? "virtio_scsi" }),
    );
    return this.#labDisk(disk);
  }

  async removeDisk(vmName: string, diskName: string): Promise<void> {
    const vm = this.#vm(vmName);
    await this.#parts.engine.attachments.detach(vm.id, this.#diskOf(vm, diskName).id, { keep: false });
  }

  async resizeDisk(vmName: string, diskName: string, virtualBytes: number): Promise<LabDisk> {
    const disk = this.#diskOf(this.#vm(vmName), diskName);
    await this.#parts.engine.disks.resize(disk.id, virtualBytes);
    return this.#labDisk(disk);
  }

  async leftovers(): Promise<Leftovers> {
    const { core } = this.#parts.engine;
    const vms = Object.values(this.#state.vms);
    const disks = Object.values(this.#state.disks);
    return {
      backups: vms.map(({ id }) => core.runningBackup(id)?.id).filter((id) => id !== undefined),
      transfers: core.openTransfers().map(({ id }) => id),
      lockedDisks: disks.filter(({ status }) => status !== "ok").map(({ id }) => id),
      attachedSnapshots: vms.flatMap((vm) => vm.attachments.flatMap(({ snapshotId }) => snapshotId ?? [])),
      unattachedDisks: disks.filter(({ id }) => core.vmsOf(id).length === 0).map(({ id }) => id),
      snapshots: vms.flatMap((vm) => vm.snapshots.map(({ id }) => id)),
      checkpoints: vms.flatMap((vm) => vm.checkpoints.map(({ id }) => id)),
      vms: vms.filter(({ given }) => !given).map(({ name }) => name),
      scratch: await filesIn(join(this.#parts.directory.storage, "scratch")),
      hostProcesses: await this.#parts.hosts.processes(),
    };
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#end();
    await this.#stopped;
  }

  /** Like `lab start --vm`: copies images, attaches them, starts the machine unless `down`. */
  async addVm(request: LabVmRequest): Promise<void> {
    const {
      name,
      images,
      down = false,
      virtioScsi = true,
      tags = [],
      cluster,
      storageDomain,
      host,
      template: templateName,
      ...options
    } = request;
    const { engine } = this.#parts;
    const { inventory } = this.#state;
    const { id: clusterId, dataCenterId } = clusterNamed(inventory, cluster);
    const domain = storageDomainNamed(inventory, dataCenterId, storageDomain);
    const template = this.#state.templates.find((one) => one.name === templateName);
    const disks: DiskState[] = [];
    try {
      for (const [index, image] of images.entries()) {
        const alias = `${name}_Disk${index + 1}`;
        const disk = await engine.disks.import(image, alias, domain, {}, template?.volumeIds[index]);
        disks.push(disk);
        if (templateName !== undefined) await this.#requireBase(disk);
      }
    } catch (error) {
      for (const disk of disks) engine.disks.drop(disk);
      throw error;
    }
    const settings: VmSettings = virtioScsi ? {} : { "virtio_scsi.enabled": "false" };
    const templateId = template?.id ?? (await this.#addTemplate(templateName, clusterId, disks));
    const vm = engine.vms.createGiven(name, {
      ...options,
      ...(templateId !== undefined && { templateId }),
      clusterId,
      settings,
      tagIds: engine.tags.idsOf(tags),
    });
    const connection = virtioScsi ? "virtio_scsi" : "virtio";
    for (const [index, disk] of disks.entries()) {
      vm.attachments.push(newAttachment(disk.id, { bootable: index === 0, interface: connection }));
    }
    if (!down) await engine.vms.startNow(vm.id, this.#onHost(host));
  }

  /** Adds a machine for ovault to run in, like `lab start`. */
  async addProxy(): Promise<void> {
    const { vms } = this.#parts.engine;
    const { id } = vms.createGiven(PROXY_NAME, {
      clusterId: clusterNamed(this.#state.inventory).id,
      devices: PROXY_DEVICES,
    });
    await this.addDisk(id, { alias: `${PROXY_NAME}_Disk1`, virtualBytes: PROXY_DISK_BYTES, format: "cow" });
    await vms.startNow(id);
  }

  /** @throws UsageError for a disk without a volume that a template could have */
  async #requireBase({ id, alias }: DiskState): Promise<void> {
    if ((await this.#parts.hypervisor.diskInfo(id)).chain.length > 1) return;
    throw new UsageError(`the image of ${alias} has no backing file, which would be the template's`);
  }

  /** A template that has the lowest volumes of these disks. Answers with its id. */
  async #addTemplate(
    name: string | undefined,
    clusterId: string,
    disks: readonly DiskState[],
  ): Promise<string | undefined> {
    if (name === undefined) return undefined;
    const id = randomUUID();
    const volumeIds = await Promise.all(
      disks.map(async (disk) => (await this.#parts.hypervisor.diskInfo(disk.id)).chain[0]?.volumeId ?? ""),
    );
    this.#state.templates.push({ id, name, clusterId, volumeIds });
    return id;
  }

  async #end(): Promise<void> {
    const { engine, imageio, staging, hosts, hypervisor } = this.#parts;
    try {
      await engine.stop();
      await staging?.close();
      await imageio.close();
      await hosts.stop();
      await hypervisor.close();
      await this.#control?.close(); // last: the open socket marks the directory as in use
    } finally {
      this.#ended.resolve();
    }
  }

  async #warnings(): Promise<readonly string[]> {
    const names = this.vms.filter(({ devices }) => devices !== undefined).map(({ name }) => name);
    const noDevices = names.length === 0 ? undefined : await this.#parts.hypervisor.whyNoDevices();
    const noHosts = this.#parts.hosts.whyNone;
    const noStaging = this.#parts.staging?.whyNone;
    return [
      ...(noDevices === undefined ? [] : [`no disks are shown as devices of ${names.join(", ")}: ${noDevices}`]),
      ...(noHosts === undefined ? [] : [`hosts have no SSH: ${noHosts}`]),
      ...(noStaging === undefined ? [] : [`data centres have no export domain: ${noStaging}`]),
    ];
  }

  get #state(): EngineState {
    return this.#parts.engine.core.state;
  }

  #vm(name: string): VmState {
    return named(Object.values(this.#state.vms), name, {
      kind: "VM",
      owner: "the lab",
      nameOf: (vm) => vm.name,
      describe: ({ clusterId, status }) => `${status}, in cluster ${this.#clusterName(clusterId)}`,
    });
  }

  #host(name: string): HostState {
    return named(this.#state.inventory.hosts, name, {
      kind: "host",
      owner: "the lab",
      nameOf: (host) => host.name,
      describe: ({ clusterId }) => `in cluster ${this.#clusterName(clusterId)}`,
    });
  }

  #onHost(name: string | undefined): { readonly host?: string } {
    return name === undefined ? {} : { host: this.#host(name).id };
  }

  #sshOf({ id, ssh }: HostState): { readonly ssh?: LabHostSsh } {
    if (ssh === undefined) return {};
    const { address, port, user } = ssh;
    const tools = this.#parts.hosts.toolsOf(id);
    return { ssh: { address, port, user, ...(tools !== undefined && { tools }) } };
  }

  #diskOf(vm: VmState, name: string): DiskState {
    const disks = this.#disksOf(vm);
    const indexed = disks.some(({ id, alias }) => id === name || alias === name) ? undefined : byIndex(disks, name);
    return (
      indexed ??
      named(disks, name, {
        kind: "disk",
        owner: `VM ${vm.name}`,
        nameOf: ({ alias }) => alias,
        listed: (disk) => `${disks.indexOf(disk)} (${disk.alias})`,
        describe: (disk) => `index ${disks.indexOf(disk)}, ${disk.format}`,
      })
    );
  }

  /** In the order of their indexes: as the engine sorts them. */
  #disksOf(vm: VmState): readonly DiskState[] {
    const attached = ownAttachments(vm).map(({ diskId, bootable }) => ({ disk: this.#diskById(diskId), bootable }));
    return attached
      .toSorted((a, b) => Number(b.bootable) - Number(a.bootable) || compareNatural(a.disk.alias, b.disk.alias))
      .map(({ disk }) => disk);
  }

  #anyDisk(name: string): DiskState {
    return named(Object.values(this.#state.disks), name, {
      kind: "disk",
      owner: "the lab",
      nameOf: ({ alias }) => alias,
      describe: (disk) => this.#placeOf(disk),
    });
  }

  /** Which VM has a disk, and at which index. */
  #placeOf(disk: DiskState): string {
    const [vm] = this.#parts.engine.core.vmsOf(disk.id);
    if (vm === undefined) return "of no VM";
    return `index ${this.#disksOf(vm).indexOf(disk)} of ${vm.name}`;
  }

  #clusterName(id: string): string {
    return known(this.#state.inventory.clusters, id).name;
  }

  #diskById(id: string): DiskState {
    const disk = this.#state.disks[id];
    if (disk === undefined) throw new NotFoundError(`the lab has no disk ${id}`);
    return disk;
  }

  #labDisk(disk: DiskState): LabDisk {
    const domain = this.#state.dataDomains.find(({ id }) => id === disk.storageDomainId);
    const storage = domain === undefined ? this.#parts.directory.storage : `${domain.address}:${domain.path}`;
    return {
      id: disk.id,
      alias: disk.alias,
      format: disk.format,
      virtualBytes: disk.provisionedBytes,
      path: join(storage, disk.storageDomainId, "images", disk.id, disk.imageId),
    };
  }
}

function newAttachment(diskId: string, options: Pick<AttachmentState, "bootable" | "interface">): AttachmentState {
  return { ...options, diskId, active: true, readOnly: false };
}

function byIndex(disks: readonly DiskState[], name: string): DiskState | undefined {
  return /^\d+$/.test(name) ? disks[Number(name)] : undefined;
}

async function filesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
}
