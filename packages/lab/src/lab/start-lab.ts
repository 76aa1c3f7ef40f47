import { access, constants, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";

import { ConfigurationError, UsageError, systemErrorCode } from "@ovault/contract";
import { z } from "zod";

import { fingerprintOf, type KeyPair } from "../certificates.ts";
import { Engine } from "../engine/engine.ts";
import { FaultSwitches } from "../engine/faults.ts";
import { extendInventory, isBlock, type LabInventoryRequest } from "../engine/inventory.ts";
import { StateStore, emptyState } from "../engine/state-store.ts";
import { behaviourOf, type EngineVersion, type Product } from "../engine/versions.ts";
import { makeDataCenterTree } from "../hosts/data-center-tree.ts";
import { LabHosts } from "../hosts/lab-hosts.ts";
import type { BlockStorage } from "../hypervisor/block-storage.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { MirroringHypervisor } from "../hypervisor/mirroring-hypervisor.ts";
import { QemuHypervisor } from "../hypervisor/qemu-hypervisor.ts";
import { LabImageio } from "../imageio/lab-imageio.ts";
import type { ImageioDaemon } from "../imageio/imageio-daemon.ts";
import { RealImageio } from "../imageio/real-imageio.ts";
import { LabStaging } from "../staging/lab-staging.ts";
import { connectFaults } from "./imageio-faults.ts";
import { LabDirectory } from "./lab-directory.ts";
import type { LabVmRequest } from "./lab-vm-request.ts";
import { RunningLab } from "./running-lab.ts";

export interface LabOptions {
  /** Holds everything of the lab. An existing lab continues with its VMs and its history. */
  readonly directory: string;
  /** Default 4.5. An existing lab keeps its own. */
  readonly engineVersion?: EngineVersion | undefined;
  /** Default `ovirt`. An existing lab keeps its own. */
  readonly product?: Product | undefined;
  /** Inventory besides one cluster, one host, one storage domain and two networks. The lab makes what is missing. */
  readonly inventory?: LabInventoryRequest | undefined;
  /** Skips a VM whose name exists already. */
  readonly vms?: readonly LabVmRequest[] | undefined;
  /**
   * Adds a VM `ovault-proxy` to a new lab: up, with its own small disk and its devices shown in `devices`. Default:
   * false. An existing lab keeps what it has.
   */
  readonly proxy?: boolean | undefined;
  /**
   * Serves a folder for each data centre over NFS, on 127.0.0.1, as its export domain. Needs python3 and libnfs. Only
   * for engines up to 4.3. Default: false. An existing lab that has it needs it again.
   */
  readonly staging?: boolean | undefined;
  /** Port of the API on 127.0.0.1. Default: the previous one, else any free port. */
  readonly port?: number | undefined;
  /** Length of one step of the engine's state machines, in ms. Default 100; a real engine takes up to 10 000. */
  readonly delayMs?: number | undefined;
  /** Where hosts see the volumes of block storage domains. Default: nowhere. */
  readonly blockStorage?: BlockStorage | undefined;
  /** Control socket of a real ovirt-imageio daemon that serves the transfers instead of the lab's own. */
  readonly imageioControl?: string | undefined;
  /** URL of that daemon for clients, e.g. `https://localhost:54322`. */
  readonly imageioUrl?: string | undefined;
  /** Stops the lab. */
  readonly signal?: AbortSignal | undefined;
}

/** Content of `lab.json`, for the lab that runs, or ran last, on a directory. */
const labInfo = z.looseObject({ port: z.int() });

const USER = "admin@internal";
const DEFAULT_DELAY_MS = 100;
/** How long the lab's imageio waits for clients when a ticket is removed, in ms. */
const REMOVE_TIMEOUT_MS = 5_000;

/**
 * Starts an emulated oVirt. Resolves when all its parts answer.
 * @throws UsageError when a lab runs on the directory already
 */
export async function startLab(options: LabOptions): Promise<RunningLab> {
  options.signal?.throwIfAborted();
  await requireVms(options.vms ?? []);
  const directory = new LabDirectory(options.directory);
  await directory.create();
  await refuseIfRunning(directory);
  const started: (() => Promise<void>)[] = [];
  try {
    const lab = await startParts(options, directory, started);
    stopOnAbort(lab, options.signal);
    return lab;
  } catch (error) {
    for (const stop of started.toReversed()) await stop();
    throw error;
  }
}

/** Adds to `started` how to stop each running part; the returned lab stops itself. */
async function startParts(
  options: LabOptions,
  directory: LabDirectory,
  started: (() => Promise<void>)[],
): Promise<RunningLab> {
  const authority = await directory.authority();
  const certificate = await directory.serverCertificate(authority);
  const { store, isNew } = await openState(directory, options);
  const hypervisor = await openHypervisor(options, directory, store);
  started.push(() => hypervisor.close());
  const hosts = await startHosts(options, directory, store);
  started.push(() => hosts.stop());
  const faults = new FaultSwitches();
  const imageio = await startImageio(options, certificate, faults);
  started.push(() => imageio.close());
  const staging = await startStaging(options, directory, store, faults);
  if (staging !== undefined) started.push(() => staging.close());
  const password = await directory.password();
  const { engine, port } = await Engine.start({
    directory: directory.path,
    store,
    hypervisor,
    imageio,
    faults,
    authority,
    certificate,
    account: { user: USER, password },
    ports: options.port === undefined ? [...(await lastPort(directory)), 0] : [options.port],
    stepMs: options.delayMs ?? DEFAULT_DELAY_MS,
  });
  started.push(() => engine.stop());
  await staging?.register(engine.exportDomains);
  const lab = new RunningLab({
    directory,
    engine,
    hypervisor,
    hosts,
    imageio,
    staging,
    faults,
    url: `https://127.0.0.1:${port}/ovirt-engine/api`,
    user: USER,
    password,
    caFingerprint: fingerprintOf(authority.certificatePem),
  });
  for (const vm of options.vms ?? []) if (!lab.vms.some(({ name }) => name === vm.name)) await lab.addVm(vm);
  if (isNew && options.proxy === true) await lab.addProxy();
  await store.flush();
  await writeFile(directory.infoFile, `${JSON.stringify({ pid: process.pid, port, url: lab.url })}\n`, { mode: 0o600 });
  await lab.acceptControl();
  return lab;
}

interface OpenedState {
  readonly store: StateStore;
  readonly isNew: boolean;
}

async function openState(directory: LabDirectory, options: LabOptions): Promise<OpenedState> {
  try {
    const store = await StateStore.open(directory.stateFile);
    refuseChange("engine version", options.engineVersion, store.state.version);
    refuseChange("product", options.product, store.state.product);
    return { store: furnished(store, options), isNew: false };
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
    const store = new StateStore(
      directory.stateFile,
      emptyState(options.engineVersion ?? "4.5", options.product ?? "ovirt"),
    );
    return { store: furnished(store, options), isNew: true };
  }
}

/** Makes the inventory; writes nothing on an error. */
function furnished(store: StateStore, { inventory = {} }: LabOptions): StateStore {
  extendInventory(store.state.inventory, inventory);
  store.changed();
  return store;
}

function refuseChange(what: string, wanted: string | undefined, present: string): void {
  if (wanted === undefined || wanted === present) return;
  throw new ConfigurationError(`this lab's ${what} is ${present}, not ${wanted}`, {
    hint: "Choose another directory.",
  });
}

async function openHypervisor(
  { blockStorage }: LabOptions,
  { storage }: LabDirectory,
  { state }: StateStore,
): Promise<Hypervisor> {
  const hypervisor = await QemuHypervisor.open(storage);
  if (blockStorage === undefined) return hypervisor;
  const domains = state.inventory.storageDomains.filter(isBlock);
  try {
    for (const { id, dataCenterId } of domains) await blockStorage.open({ storageDomainId: id, dataCenterId });
  } catch (error) {
    await hypervisor.close();
    throw error;
  }
  const domainIds = domains.map(({ id }) => id);
  return new MirroringHypervisor(hypervisor, blockStorage, domainIds);
}

async function startHosts(
  { inventory = {} }: LabOptions,
  directory: LabDirectory,
  store: StateStore,
): Promise<LabHosts> {
  const { state } = store;
  await makeDataCenterTree(directory.dataCenters, directory.storage, state.inventory.storageDomains);
  const hosts = await LabHosts.start({
    directory: directory.hosts,
    loginKey: directory.loginKey,
    inventory: state.inventory,
    behaviour: behaviourOf(state.version),
    requests: inventory.hosts ?? [],
  });
  store.changed();
  return hosts;
}

async function startStaging(
  { staging = false }: LabOptions,
  directory: LabDirectory,
  store: StateStore,
  faults: FaultSwitches,
): Promise<LabStaging | undefined> {
  const { version, inventory, exportDomains } = store.state;
  if (!staging || !behaviourOf(version).apiVersions.includes(3)) return undefined;
  const { dataCenters } = inventory;
  const started = await LabStaging.start({ directory: directory.staging, dataCenters, exportDomains, faults });
  store.changed();
  return started;
}

async function startImageio(
  { imageioControl, imageioUrl }: LabOptions,
  { certificatePem, privateKeyPem }: KeyPair,
  faults: FaultSwitches,
): Promise<ImageioDaemon> {
  if (imageioControl !== undefined && imageioUrl !== undefined) {
    return new RealImageio({ controlSocket: imageioControl, url: imageioUrl });
  }
  if (imageioControl !== undefined || imageioUrl !== undefined) {
    throw new UsageError("a real imageio daemon needs both its control socket and its URL");
  }
  const daemon = await LabImageio.start({
    cert: certificatePem,
    key: privateKeyPem,
    host: "127.0.0.1",
    port: 0,
    removeTimeoutMs: REMOVE_TIMEOUT_MS,
  });
  connectFaults(faults, daemon);
  return daemon;
}

async function requireVms(vms: readonly LabVmRequest[]): Promise<void> {
  const twice = vms.find(({ name }, index) => vms.findIndex((vm) => vm.name === name) !== index);
  if (twice !== undefined) throw new UsageError(`two VMs are named ${twice.name}`);
  for (const image of vms.flatMap(({ images }) => images)) {
    await access(image, constants.R_OK).catch((error: unknown) => {
      throw new UsageError(`the image ${image} cannot be read`, { cause: error, context: { image } });
    });
  }
}

/** Throws if the socket answers: a lab runs on the directory. */
async function refuseIfRunning(directory: LabDirectory): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(directory.socket);
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
  if (!answers) return;
  throw new UsageError(`a lab runs in ${directory.path} already`, { hint: "Stop it with `ovault lab stop`." });
}

async function lastPort(directory: LabDirectory): Promise<readonly number[]> {
  try {
    return [labInfo.parse(JSON.parse(await readFile(directory.infoFile, "utf8"))).port];
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
}

function stopOnAbort(lab: RunningLab, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const stop = (): void => void lab.stop();
  signal.addEventListener("abort", stop, { once: true });
  void lab.ended.then(() => signal.removeEventListener("abort", stop));
  if (signal.aborted) stop();
}
