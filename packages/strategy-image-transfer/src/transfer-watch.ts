import type { Disk } from "@ovault/core";
import type { DiskTransfer } from "@ovault/ovirt";

import { TransferEndedError } from "./errors.ts";

const QUESTION_DEADLINE_MS = 60_000;

/** Says what a failed read means: imageio only sees a ticket that is no good any more. */
export class TransferWatch {
  readonly #disk: Disk;
  readonly #transfers: readonly DiskTransfer[];
  #answer: Promise<TransferEndedError | undefined> | undefined;

  constructor(disk: Disk, transfers: readonly DiskTransfer[]) {
    this.#disk = disk;
    this.#transfers = transfers;
  }

  /** The end of the transfer, where that is the cause; else the error itself. Readers at once share one question. */
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
      const how = phase === undefined ? "it is gone" : `it is ${phase}`;
      return new TransferEndedError(
        `the engine ended the transfer of disk ${this.#disk.alias} while it was read: ${how}`,
        {
          cause,
          context: { disk: this.#disk.id, phase: phase ?? "gone" },
          hint:
            "It does that when a user cancels it, when the host of the transfer goes down, and when nothing was read for " +
            "too long. The engine's events say which. Run the backup again.",
        },
      );
    }
    return undefined;
  }
}
