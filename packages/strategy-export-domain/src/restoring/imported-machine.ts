import { observe, type LedgerHandle, type RestoreRequest, type RunContext } from "@ovault/contract";
import {
  arrived,
  connectNics,
  giveBack,
  pending,
  releaseVm,
  removeDisk,
  removeVm,
  runTag,
  startVm,
  wasRefused,
  type EngineApi,
} from "@ovault/ovirt";

import { ExportFailedError } from "../errors.ts";
import type { ExportDomainOptions } from "../options.ts";
import type { ExportDesign, ImportDesign } from "./export-design.ts";

export interface ImportWish {
  readonly api: EngineApi;
  readonly options: ExportDomainOptions;
  readonly request: RestoreRequest;
  readonly design: ExportDesign;
}

/** A machine that the engine imports from the export domain, with the ids that it has there. */
export class ImportedMachine {
  readonly #wish: ImportWish;
  readonly #restore: ImportDesign;
  readonly #context: RunContext;
  readonly #handle: LedgerHandle;

  /** Asks the engine for it. @throws what the engine refuses it with */
  static async request(wish: ImportWish, restore: ImportDesign, context: RunContext): Promise<ImportedMachine> {
    const { api, request, design } = wish;
    const { ledger, signal } = context;
    const { vmId, site, copies } = design;
    const handle = await ledger.open({
      kind: "vm",
      title: `restored virtual machine ${request.name}`,
      detail: { name: request.name, tag: runTag(ledger.runId), vmId, diskIds: copies.map(({ id }) => id) },
    });
    const machine = new ImportedMachine(wish, { restore, context, handle });
    const { cluster, storageDomainId } = restore;
    const wanted = { clusterId: cluster.id, storageDomainId, collapseSnapshots: false };
    try {
      await api.exportDomains.importVm(site.storageDomain.id, vmId, wanted, signal);
    } catch (error) {
      if (wasRefused(error, signal)) await handle.close();
      else await machine.remove().catch(() => undefined);
      throw error;
    }
    return machine;
  }

  private constructor(
    wish: ImportWish,
    parts: { readonly restore: ImportDesign; readonly context: RunContext; readonly handle: LedgerHandle },
  ) {
    this.#wish = wish;
    this.#restore = parts.restore;
    this.#context = parts.context;
    this.#handle = parts.handle;
  }

  /** Waits until it is imported, gives it what an OVF does not hold, starts it if requested, and hands it over. */
  async complete(): Promise<void> {
    const { api, request, design } = this.#wish;
    const { signal, hooks } = this.#context;
    const { vmId } = design;
    await this.#ready();
    const { nics, original, belongings, cluster } = this.#restore;
    const { tags = [] } = request.point.vm;
    const changes = [
      ...(await connectNics(api, vmId, nics, request.mac, signal)),
      ...(await giveBack(api, { vmId, clusterId: cluster.id, tags, belongings }, signal)),
    ];
    for (const change of changes) observe(hooks.warning, change);
    if (request.start) await startVm(api, vmId, signal);
    await this.#handle.amend({ released: true });
    for (const refusal of await releaseVm(api, vmId, original, signal)) observe(hooks.warning, refusal);
    await this.#handle.close();
  }

  /** With its disks, in any state. */
  async remove(): Promise<void> {
    const { api, design } = this.#wish;
    await removeVm(api, design.vmId);
    for (const { id } of design.copies) await removeDisk(api, id);
    await this.#handle.close();
  }

  async #ready(): Promise<void> {
    const { api, options, request, design } = this.#wish;
    const settledAt = performance.now() + api.inFlightMs;
    let wasThere = false;
    await api.wait(
      `${request.name} to be imported`,
      async (pollSignal) => {
        const vm = await api.vms.find(design.vmId, pollSignal);
        wasThere ||= vm !== undefined;
        if (vm?.status === "down") return arrived(undefined);
        if (vm !== undefined || (!wasThere && performance.now() < settledAt)) return pending(vm?.status);
        throw notImported(request.name);
      },
      { deadlineMs: options.exportTimeoutSeconds * 1_000, signal: this.#context.signal, justAsked: true },
    );
  }
}

/** The engine reports a failed import only by the machine's disappearance. */
function notImported(name: string): ExportFailedError {
  return new ExportFailedError(`the engine could not import ${name}`, {
    hint: "The engine's events say why: the storage domain may be full. Run the restore again.",
  });
}
