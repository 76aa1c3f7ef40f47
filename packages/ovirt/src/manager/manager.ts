import {
  observe,
  UsageError,
  type Finding,
  type Manager,
  type ManagerDiagnosis,
  type Quiescing,
  type RunHooks,
  type RunLedger,
  type TaggedSnapshot,
  type VirtualMachine,
} from "@ovault/contract";

import { EngineApi } from "../api/engine-api.ts";
import { diagnoseEngine } from "../diagnosis/diagnose-engine.ts";
import { proveDataPath } from "../diagnosis/prove-data-path.ts";
import { findTaggedSnapshots } from "../snapshot/find-tagged-snapshots.ts";
import { capabilitiesOf, type Capabilities } from "../model/capabilities.ts";
import { EngineClient, type EngineClientOptions } from "../engine/engine-client.ts";
import type { OnWait } from "../engine/engine-caller.ts";
import { readInventory } from "./inventory.ts";

/** An oVirt engine, also as OLVM or RHV. Opens no connection before its first call. */
export class OvirtManager implements Manager {
  readonly kind = "ovirt";
  readonly name: string;
  readonly client: EngineClient;
  /** For calls outside a run; inside one use `apiFor`. */
  readonly api: EngineApi;
  readonly quiescing: Quiescing = {
    freeze: (vm, signal) => this.api.vms.freezeFilesystems(vm.id, signal),
    thaw: (vm, signal) => this.api.vms.thawFilesystems(vm.id, signal),
  };
  #capabilities: Capabilities | undefined;

  constructor(name: string, options: EngineClientOptions) {
    this.name = name;
    this.client = new EngineClient(options);
    this.api = new EngineApi(this.client);
  }

  /**
   * The API with every call tagged, so that the engine's events and jobs carry the run's id. Reports what a call waits
   * for as a phase of the run.
   */
  apiFor(runId: string, hooks?: Pick<RunHooks, "phase">): EngineApi {
    const onWait = hooks && ((detail: string): void => observe(hooks.phase, { phase: "wait", detail }));
    return new EngineApi(this.client.correlated(runId, onWait));
  }

  /** The API to remove leftovers with: reports what its calls wait for; all end when `until` aborts. */
  apiToCleanUp(onWait: OnWait | undefined, until: AbortSignal): EngineApi {
    return new EngineApi(this.client.correlated("ovault-leftovers", onWait, until));
  }

  /** What the engine's version can do; requested once. */
  async capabilities(signal: AbortSignal): Promise<Capabilities> {
    this.#capabilities ??= capabilitiesOf(await this.api.infrastructure.productInfo(signal));
    return this.#capabilities;
  }

  async inventory(signal: AbortSignal): Promise<readonly VirtualMachine[]> {
    return readInventory(this.api, await this.capabilities(signal), this.name, signal);
  }

  diagnose(signal: AbortSignal): Promise<ManagerDiagnosis> {
    return diagnoseEngine(this, signal);
  }

  proveDataPath(ledger: RunLedger, signal: AbortSignal): Promise<Finding> {
    return proveDataPath(this, ledger, signal);
  }

  taggedSnapshots(signal: AbortSignal): Promise<readonly TaggedSnapshot[]> {
    return findTaggedSnapshots(this.api, signal);
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** Narrows the manager that core passes to a strategy. @throws UsageError for another kind of manager */
export function ovirtManager(manager: Manager): OvirtManager {
  if (manager instanceof OvirtManager) return manager;
  throw new UsageError(`the manager "${manager.name}" is of kind ${manager.kind}, not ovirt`, {
    context: { manager: manager.name, kind: manager.kind },
    hint: "This strategy works with oVirt, OLVM and RHV; use another strategy or manager.",
  });
}
