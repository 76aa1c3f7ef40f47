import { SourceError, type ErrorCode } from "@ovault/contract";

/** The engine ended a transfer while it was being read. */
export class TransferEndedError extends SourceError {
  static override readonly code: ErrorCode = "E_TRANSFER_ENDED";
}

/** @param phase of the transfer; undefined: the transfer is gone */
export function transferEnded(
  { diskId, title }: { readonly diskId: string; readonly title: string },
  phase: string | undefined,
  cause?: unknown,
): TransferEndedError {
  const how = phase === undefined ? "it is gone" : `it is ${phase}`;
  return new TransferEndedError(`the engine ended the transfer of disk ${title} while it was read: ${how}`, {
    cause,
    context: { disk: diskId, phase: phase ?? "gone" },
    hint:
      "It does that when a user cancels it, when the host of the transfer goes down, and when nothing was read for " +
      "too long. The engine's events say which. Run the backup again.",
  });
}
