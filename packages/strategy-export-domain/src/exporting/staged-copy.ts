import type { LedgerHandle, RunLedger } from "@ovault/contract";
import type { ExportDomain } from "@ovault/storage-domain";

export const STAGED_COPY = "staged-copy";

/** A machine in an export domain, by the ids that its files have there. */
export interface StagedMachine {
  readonly vmId: string;
  readonly imageIds: readonly string[];
}

/** A machine of ours in an export domain, in the ledger before any of its files is there. */
export class StagedCopy {
  readonly machine: StagedMachine;
  readonly #domain: ExportDomain;
  readonly #handle: LedgerHandle;

  /** @param folder the root of what hosts mount; @param title for people: `exported clone of web01` */
  static async announce(
    domain: ExportDomain,
    machine: StagedMachine,
    { ledger, folder, title }: { readonly ledger: RunLedger; readonly folder: string; readonly title: string },
  ): Promise<StagedCopy> {
    const { vmId, imageIds } = machine;
    const detail = { folder, domainId: domain.metadata.id, vmId, imageIds: [...imageIds] };
    return new StagedCopy(domain, machine, await ledger.open({ kind: STAGED_COPY, title, detail }));
  }

  private constructor(domain: ExportDomain, machine: StagedMachine, handle: LedgerHandle) {
    this.machine = machine;
    this.#domain = domain;
    this.#handle = handle;
  }

  /** It is what the run was to make, and no longer temporary. */
  async keep(): Promise<void> {
    await this.#handle.close();
  }

  /** Nothing must write it any more. */
  async remove(): Promise<void> {
    await removeStaged(this.#domain, this.machine);
    await this.#handle.close();
  }
}

/** Removes all files of a machine of ours: first the OVF, so that the engine lists no half of it. */
export async function removeStaged(domain: ExportDomain, { vmId, imageIds }: StagedMachine): Promise<void> {
  await domain.removeMachine(vmId);
  for (const imageId of imageIds) await domain.removeImage(imageId);
}
