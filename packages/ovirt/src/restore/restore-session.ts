import {
  observe,
  type DiskTarget,
  type LedgerHandle,
  type RestoredVirtualMachine,
  type RestoreRequest,
  type RestoreSession,
  type RunContext,
} from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { wasRefused } from "../engine/was-refused.ts";
import { hasTag, runTag } from "../traces/run-tag.ts";
import { undo } from "../traces/undo.ts";
import type { DiskFilling } from "./fill/disk-filler.ts";
import type { MadeDisk } from "./disks/make-disk.ts";
import { completeVm, createVm, releaseVm, startVm } from "./vm/make-vm.ts";
import { assertUnused } from "../leftovers/in-use.ts";
import type { LeftoverKinds } from "../leftovers/leftover-kind.ts";
import { dropDisk } from "./disks/drop-disk.ts";
import { removeVm } from "./vm/remove-vm.ts";
import type { RestoreDesign } from "./design/restore-design.ts";

const LOOKUP_DEADLINE_MS = 60_000;

export interface RestoreParts {
  readonly api: EngineApi;
  readonly request: RestoreRequest;
  readonly design: RestoreDesign;
  /** In the order of the request. */
  readonly disks: readonly MadeDisk[];
  readonly filling: DiskFilling;
  /** Kinds of leftovers that only this strategy makes. */
  readonly leftovers: LeftoverKinds;
  /** Called before the ledger forgets the disks, with the machine complete: notes durably what has to be known of it. */
  readonly beforeHandOver?: ((vm: RestoredVirtualMachine) => Promise<void>) | undefined;
}

/** New disks on the engine, open for writing, that become a virtual machine when they are full. */
export class OvirtRestoreSession implements RestoreSession {
  readonly #parts: RestoreParts;
  readonly #context: RunContext;
  #vm: { readonly handle: LedgerHandle; readonly id: string } | undefined;

  constructor(parts: RestoreParts, context: RunContext) {
    this.#parts = parts;
    this.#context = context;
  }

  get disks(): readonly DiskTarget[] {
    return this.#parts.filling.targets;
  }

  async commit(): Promise<RestoredVirtualMachine> {
    const { api, request, design, disks, filling, leftovers } = this.#parts;
    const { runId, ledger, signal } = this.#context;
    await filling.finish();
    signal.throwIfAborted();
    // A machine must not start on a disk that something else may still write to.
    const outstanding = await ledger.outstanding();
    for (const { handle } of disks) assertUnused(handle.entry, outstanding, leftovers);
    const tag = runTag(runId);
    const handle = await ledger.open({
      kind: "vm",
      title: `restored virtual machine ${request.name}`,
      detail: { name: request.name, tag, diskIds: disks.map(({ id }) => id) },
    });
    const id = await this.#createVm(handle, tag);
    this.#vm = { handle, id };
    await handle.amend({ vmId: id });
    const changes = await completeVm(api, id, { design, disks, request, tag }, signal);
    for (const change of changes) observe(this.#context.hooks.warning, change);
    if (request.start) await startVm(api, id, signal);
    const restored = {
      id,
      name: request.name,
      disks: disks.map((disk) => ({ from: disk.record.disk.id, id: disk.id })),
    };
    await this.#parts.beforeHandOver?.(restored);
    // From here on the machine's own entry covers its disks; after its release the machine is not ours any more.
    for (const disk of disks) await disk.handle.close();
    await handle.amend({ released: true });
    for (const refusal of await releaseVm(api, id, design.original, signal)) {
      observe(this.#context.hooks.warning, refusal);
    }
    await handle.close();
    return restored;
  }

  async abort(): Promise<void> {
    const { api, disks, filling, leftovers } = this.#parts;
    const vm = this.#vm;
    if (vm !== undefined) await this.#tidy(vm.handle, () => removeVm(api, vm.id));
    await filling.abandon();
    await Promise.all(disks.map((disk) => dropDisk(api, disk, { ...this.#context, leftovers })));
  }

  /** Looks for a machine of ours that the engine may have made without an answer, so that `abort` can remove it. */
  async #createVm(handle: LedgerHandle, tag: string): Promise<string> {
    const { api, design, request } = this.#parts;
    try {
      return (await createVm(api, design, { name: request.name, tag }, this.#context.signal)).id;
    } catch (error) {
      if (wasRefused(error, this.#context.signal)) {
        await handle.close();
        throw error;
      }
      const found = await api.vms.byName(request.name, AbortSignal.timeout(LOOKUP_DEADLINE_MS)).catch(() => undefined);
      if (found !== undefined && hasTag(found.description, tag)) this.#vm = { handle, id: found.id };
      throw error;
    }
  }

  async #tidy(handle: LedgerHandle, remove: () => Promise<unknown>): Promise<void> {
    const obstacle = await undo(handle, remove);
    if (obstacle === undefined) return;
    const reason = obstacle instanceof Error ? obstacle.message : String(obstacle);
    observe(
      this.#context.hooks.warning,
      `${handle.entry.title} could not be removed: ${reason}; see \`ovault doctor\``,
    );
  }
}
