import type { Disk } from "@ovault/contract";
import { transferEnded, type DiskTransfer, type TransferEndedError } from "@ovault/ovirt";

const QUESTION_DEADLINE_MS = 60_000;

/** Explains failed reads: imageio only reports an invalid ticket. */
export class TransferWatch {
  readonly #disk: Disk;
  readonly #transfers: readonly DiskTransfer[];
  #answer: Promise<TransferEndedError | undefined> | undefined;

  constructor(disk: Disk, transfers: readonly DiskTransfer[]) {
    this.#disk = disk;
    this.#transfers = transfers;
  }

  /** The end of the transfer, if that is the cause; else the error itself. Concurrent readers share one request. */
  async explain(error: unknown): Promise<unknown> {
    this.#answer ??= this.#ask(error).finally(() => {
      this.#answer = undefined;
    });
    return (await this.#answer) ?? error;
  }

  /** An engine that does not answer proves nothing. */
  async #ask(cause: unknown): Promise<TransferEndedError | undefined> {
    const signal = AbortSignal.timeout(QUESTION_DEADLINE_MS);
    for (const transfer of this.#transfers) {
      const phase = await transfer.phase(signal).catch(() => "transferring");
      if (phase === "transferring") continue;
      return transferEnded({ diskId: this.#disk.id, title: this.#disk.alias }, phase, cause);
    }
    return undefined;
  }
}
