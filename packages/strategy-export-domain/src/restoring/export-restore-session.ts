import {
  messageOf,
  observe,
  type DiskTarget,
  type RestoredVirtualMachine,
  type RestoreRequest,
  type RestoreSession,
  type RunContext,
} from "@ovault/contract";
import { exportedOvf, runTag, type EngineApi } from "@ovault/ovirt";
import type { ExportDomain, NewImage } from "@ovault/storage-domain";

import type { StagedCopy } from "../exporting/staged-copy.ts";
import type { ExportDomainOptions } from "../options.ts";
import type { StagingSlot } from "../room/staging-slot.ts";
import type { ExportDesign } from "./export-design.ts";
import { ImportedMachine } from "./imported-machine.ts";
import { StagedDiskTarget } from "./staged-disk-target.ts";

export interface ExportRestoreParts {
  readonly api: EngineApi;
  readonly options: ExportDomainOptions;
  readonly request: RestoreRequest;
  readonly design: ExportDesign;
  readonly domain: ExportDomain;
  readonly slot: StagingSlot;
  readonly copy: StagedCopy;
  /** In the order of the request. */
  readonly images: readonly NewImage[];
}

/** New volumes in the export domain, which become a machine there, and in the engine when it is imported. */
export class ExportRestoreSession implements RestoreSession {
  readonly disks: readonly DiskTarget[];
  readonly #parts: ExportRestoreParts;
  readonly #context: RunContext;
  #machine: ImportedMachine | undefined;

  constructor(parts: ExportRestoreParts, context: RunContext) {
    this.#parts = parts;
    this.#context = context;
    this.disks = parts.images.map((image, index) => {
      const record = parts.request.disks[index];
      if (record === undefined) throw new RangeError("more images than disks");
      return new StagedDiskTarget(record, image);
    });
  }

  async commit(): Promise<RestoredVirtualMachine> {
    const { request, design, domain, images, copy } = this.#parts;
    const { signal } = this.#context;
    for (const image of images) await image.commit();
    signal.throwIfAborted();
    // Last: from now on the engine lists it.
    await domain.addMachine(design.vmId, this.#ovf());
    if (design.imported === undefined) {
      await copy.keep();
      await this.#release();
      return { ...this.#result(), awaitsImport: `export domain ${design.site.storageDomain.name}` };
    }
    observe(this.#context.hooks.phase, { phase: "import", detail: request.name });
    this.#machine = await ImportedMachine.request(this.#parts, design.imported, this.#context);
    await this.#machine.complete();
    await this.#removeCopy();
    await this.#release();
    return this.#result();
  }

  /** What cannot be removed stays in the ledger, with a warning. */
  async abort(): Promise<void> {
    const { images } = this.#parts;
    const machine = this.#machine;
    await this.#tidy("the imported machine", async () => machine?.remove());
    for (const image of images) await image.remove().catch(() => undefined);
    await this.#removeCopy();
    await this.#release();
  }

  #ovf(): string {
    const { request, design } = this.#parts;
    const { ovf, vmId, copies, networks, imported } = design;
    const disks = new Map(copies.map(({ record, id, volumeId, bytes }) => [record.disk.id, { id, volumeId, bytes }]));
    return exportedOvf(ovf, {
      name: request.name,
      mac: request.mac === "keep" ? "keep" : "drop",
      vmId,
      disks,
      networks,
      // The engine has what the OVF says from the beginning; one that an administrator imports is no run's.
      ...(imported !== undefined && { tag: runTag(this.#context.runId) }),
    });
  }

  #result(): RestoredVirtualMachine {
    const { request, design } = this.#parts;
    const disks = design.copies.map(({ record, id }) => ({ from: record.disk.id, id }));
    return { id: design.vmId, name: request.name, disks };
  }

  #removeCopy(): Promise<void> {
    return this.#tidy("its copy in the export domain", () => this.#parts.copy.remove());
  }

  async #release(): Promise<void> {
    const { slot, domain } = this.#parts;
    await this.#tidy("its place in the folder", () => slot.release());
    await domain[Symbol.asyncDispose]().catch(() => undefined);
  }

  async #tidy(what: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      const message = `${what} could not be removed: ${messageOf(error)}; see \`ovault doctor\``;
      observe(this.#context.hooks.warning, message);
    }
  }
}
