import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { ImageioDaemon } from "../imageio/imageio-daemon.ts";
import {
  createAuthority,
  currentValidity,
  expiredValidity,
  issueServerCertificate,
  type KeyPair,
} from "../certificates.ts";
import { Background } from "./background.ts";
import type { EngineApi } from "./engine-api.ts";
import { EngineCore, reasonOf } from "./engine-core.ts";
import type { DiskState, HostState, HostStatus, VmState } from "./engine-state.ts";
import { eventCodes } from "./event-codes.ts";
import { type FaultSwitches, type FaultMode, type FaultName } from "./faults.ts";
import { ApiServer } from "./http/api-server.ts";
import { HttpsServer, type AlterAnswer } from "./http/https-server.ts";
import { Router } from "./http/router.ts";
import { Sso } from "./http/sso.ts";
import { Journal } from "./journal.ts";
import { AttachmentOperations } from "./operations/attachment-operations.ts";
import { BackupOperations } from "./operations/backup-operations.ts";
import { CheckpointOperations } from "./operations/checkpoint-operations.ts";
import { DataDomainOperations } from "./operations/data-domain-operations.ts";
import { DiskMoveOperations } from "./operations/disk-move-operations.ts";
import { DiskOperations } from "./operations/disk-operations.ts";
import { ExportDomainOperations } from "./operations/export-domain-operations.ts";
import { GuestOperations } from "./operations/guest-operations.ts";
import { NicOperations } from "./operations/nic-operations.ts";
import { SnapshotOperations } from "./operations/snapshot-operations.ts";
import { TagOperations } from "./operations/tag-operations.ts";
import { TransferOperations } from "./operations/transfer-operations.ts";
import { UnregisteredDiskOperations } from "./operations/unregistered-disk-operations.ts";
import { UnregisteredVmOperations } from "./operations/unregistered-vm-operations.ts";
import { VmExportOperations } from "./operations/vm-export-operations.ts";
import { VmImportOperations } from "./operations/vm-import-operations.ts";
import { VmOperations } from "./operations/vm-operations.ts";
import { routes } from "./resources/routes.ts";
import type { StateStore } from "./state-store.ts";
import { behaviourOf } from "./versions.ts";

export interface EngineOptions {
  /** Directory of the lab. */
  readonly directory: string;
  readonly store: StateStore;
  readonly hypervisor: Hypervisor;
  readonly imageio: ImageioDaemon;
  readonly faults: FaultSwitches;
  readonly authority: KeyPair;
  readonly certificate: KeyPair;
  readonly account: { readonly user: string; readonly password: string };
  /** The engine takes the first free one; 0 is any free one. */
  readonly ports: readonly number[];
  /** Length of one step of every state machine, in ms. */
  readonly stepMs: number;
}

/** How often the engine checks that its machines still run. */
const WATCH_STEPS = 5;
/** How many steps the fault `engine-restart` lasts when it comes once. */
const RESTART_STEPS = 20;

/** The engine: its state, its operations, and the server that offers them. */
export class Engine implements EngineApi {
  readonly core: EngineCore;
  readonly disks: DiskOperations;
  readonly diskMoves: DiskMoveOperations;
  readonly unregisteredDisks: UnregisteredDiskOperations;
  readonly unregisteredVms: UnregisteredVmOperations;
  readonly attachments: AttachmentOperations;
  readonly guests: GuestOperations;
  readonly nics: NicOperations;
  readonly vms: VmOperations;
  readonly snapshots: SnapshotOperations;
  readonly checkpoints: CheckpointOperations;
  readonly backups: BackupOperations;
  readonly transfers: TransferOperations;
  readonly tags: TagOperations;
  readonly dataDomains: DataDomainOperations;
  readonly exportDomains: ExportDomainOperations;
  readonly vmExports: VmExportOperations;
  readonly vmImports: VmImportOperations;
  readonly #server: HttpsServer;
  readonly #options: EngineOptions;
  #restarting = false;

  private constructor(options: EngineOptions) {
    const { directory, store, hypervisor, imageio, faults } = options;
    this.#options = options;
    const journal = new Journal(store);
    const background = new Background(options.stepMs, (error) => {
      journal.event(eventCodes.engineError, { description: reasonOf(error), severity: "error" });
    });
    this.core = new EngineCore({
      directory,
      store,
      behaviour: behaviourOf(store.state.version),
      hypervisor,
      imageio,
      faults,
      background,
      journal,
    });
    this.disks = new DiskOperations(this.core);
    this.attachments = new AttachmentOperations(this.core, this.disks);
    this.checkpoints = new CheckpointOperations(this.core);
    this.guests = new GuestOperations(this.core);
    this.snapshots = new SnapshotOperations(this.core, this.guests);
    this.diskMoves = new DiskMoveOperations(this.core, this.snapshots);
    this.unregisteredDisks = new UnregisteredDiskOperations(this.core);
    this.backups = new BackupOperations(this.core, { checkpoints: this.checkpoints, guests: this.guests });
    this.nics = new NicOperations(this.core);
    const { disks, attachments, backups, guests, nics } = this;
    this.vms = new VmOperations(this.core, { disks, attachments, backups, guests, nics });
    this.transfers = new TransferOperations(this.core, {
      disks: this.disks,
      backups: this.backups,
      onTransferring: (transfer) => this.#strikePowerOff(transfer.backupId),
    });
    this.tags = new TagOperations(this.core);
    this.dataDomains = new DataDomainOperations(this.core);
    const { dataDomains, unregisteredDisks, vms } = this;
    this.unregisteredVms = new UnregisteredVmOperations(this.core, { dataDomains, unregisteredDisks, vms });
    this.exportDomains = new ExportDomainOperations(this.core);
    this.vmExports = new VmExportOperations(this.core, this.exportDomains);
    this.vmImports = new VmImportOperations(this.core, { exportDomains: this.exportDomains, disks, vms: this.vms });
    this.#server = new HttpsServer({
      behaviour: this.core.behaviour,
      api: new ApiServer(this.core, new Router(routes(this))),
      sso: new Sso(options.account, faults),
      faults,
      certificate: options.certificate,
      caPem: options.authority.certificatePem,
      unavailable: () => this.#restarting,
    });
    faults.onSet((name, mode) => this.#onFault(name, mode));
  }

  /** Continues from the state of an earlier engine, then listens. Answers with the port. */
  static async start(options: EngineOptions): Promise<{ readonly engine: Engine; readonly port: number }> {
    const engine = new Engine(options);
    await engine.#recover();
    engine.core.background.start(() => engine.#watchMachines());
    return { engine, port: await engine.#server.listen(options.ports) };
  }

  /** Ends server and state machines; the state is on disk afterwards. */
  async stop(): Promise<void> {
    await this.#server.close();
    await this.core.background.stop();
    await this.dataDomains.close();
    await this.core.store.flush();
  }

  /** Rewrites the API's answers from now on; `undefined` ends that. */
  alterAnswers(alter: AlterAnswer | undefined): void {
    this.#server.alter = alter;
  }

  setHostStatus(host: HostState, status: HostStatus): void {
    host.status = status;
    this.core.store.changed();
  }

  /** Ends what was under way when the last engine ended; starts machines that were up. */
  async #recover(): Promise<void> {
    const { state, store } = this.core;
    for (const host of state.inventory.hosts) delete host.status;
    await this.dataDomains.recover();
    for (const disk of Object.values(state.disks)) await this.#recoverDisk(disk);
    await this.#removeIncomplete();
    for (const vm of Object.values(state.vms)) {
      delete vm.lockedBy;
      vm.attachments.splice(0, vm.attachments.length, ...vm.attachments.filter(({ diskId }) => diskId in state.disks));
      vm.snapshots.splice(0, vm.snapshots.length, ...vm.snapshots.filter(({ volumes }) => volumes.length > 0));
      for (const snapshot of vm.snapshots) snapshot.status = "ok";
      if (vm.status === "up" || vm.status === "powering_up") await this.#startAgain(vm);
      else {
        vm.status = "down";
        delete vm.hostId;
      }
    }
    await this.backups.failInterrupted();
    await this.transfers.failInterrupted();
    for (const job of Object.values(state.jobs)) {
      if (job.status === "started") this.core.journal.endJob(job, "failed");
    }
    store.changed();
  }

  /** A machine whose disks lie on an NFS server that is away stays down. */
  async #startAgain(vm: VmState): Promise<void> {
    try {
      await this.vms.startNow(vm.id);
    } catch (error) {
      const isOnNfs = vm.attachments.some(({ diskId }) => this.dataDomains.has(this.core.disk(diskId).storageDomainId));
      if (!isOnNfs) throw error;
      vm.status = "down";
      delete vm.hostId;
      const description = `VM ${vm.name} is down with error. ${reasonOf(error)}`;
      this.core.journal.event(eventCodes.vmNotStarted, { description, severity: "error", vmId: vm.id });
    }
  }

  /** Clones and imports that were under way when the last engine ended. */
  async #removeIncomplete(): Promise<void> {
    const { state, hypervisor } = this.core;
    for (const vm of Object.values(state.vms).filter(({ isIncomplete }) => isIncomplete === true)) {
      for (const { diskId } of vm.attachments) {
        await hypervisor.removeDisk(diskId);
        delete state.disks[diskId];
      }
      delete state.vms[vm.id];
    }
  }

  /** Detects machines whose QEMU died or was killed from outside. */
  async #watchMachines(): Promise<void> {
    for (;;) {
      await this.core.background.steps(WATCH_STEPS);
      for (const vm of Object.values(this.core.state.vms)) {
        const dead = vm.status === "up" && this.core.hypervisor.vmState(vm.id) === "down";
        if (dead && vm.lockedBy === undefined) await this.vms.stopNow(vm.id, { graceful: false });
      }
    }
  }

  /** Trusts the storage; the database may be older. */
  async #recoverDisk(disk: DiskState): Promise<void> {
    const { state, hypervisor } = this.core;
    if (!hypervisor.listDisks().includes(disk.id)) {
      delete state.disks[disk.id];
      return;
    }
    const { chain, virtualBytes, storageDomainId } = await hypervisor.diskInfo(disk.id);
    disk.storageDomainId = storageDomainId; // it may have moved
    disk.imageId = chain.at(-1)?.volumeId ?? disk.imageId;
    disk.provisionedBytes = virtualBytes;
    if (disk.status === "locked") disk.status = "ok";
  }

  #strikePowerOff(backupId: string | undefined): void {
    const backup = backupId === undefined ? undefined : this.core.state.backups[backupId];
    if (backup === undefined || !this.core.faults.strikes("vm-poweroff-during-backup")) return;
    this.core.background.start(async () => {
      await this.core.background.steps();
      await this.vms.stopNow(backup.vmId, { graceful: true });
    });
  }

  async #onFault(name: FaultName, mode: FaultMode): Promise<void> {
    const { authority, certificate } = this.#options;
    switch (name) {
      case "engine-restart":
        return this.#restart(mode);
      case "expired-certificate":
        return this.#server.useCertificate(
          mode === "off" ? certificate : await issueServerCertificate(authority, expiredValidity()),
        );
      case "wrong-ca":
        return this.#server.useCertificate(
          mode === "off"
            ? certificate
            : await issueServerCertificate(await createAuthority("unknown authority"), currentValidity()),
        );
      default:
    }
  }

  #restart(mode: FaultMode): void {
    this.#restarting = mode !== "off";
    if (mode !== "once") return;
    this.core.faults.strikes("engine-restart");
    this.core.background.start(async () => {
      await this.core.background.steps(RESTART_STEPS);
      this.#restarting = this.core.faults.mode("engine-restart") === "on";
    });
  }
}
