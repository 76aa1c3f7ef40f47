import { EngineAnswerError, type DiskTransfer } from "@ovault/ovirt";

/**
 * Prevents the bytes of a QCOW2 file from being stored as guest data.
 *
 * @throws EngineAnswerError when the engine does not confirm that the transfer shows guest data
 */
export function assertGuestData({ echoesRaw, request: { diskId, title } }: DiskTransfer): void {
  if (echoesRaw) return;
  throw new EngineAnswerError(`the engine does not say that it shows the guest data of disk ${title}`, {
    context: { disk: diskId },
    hint: (field) =>
      `It was asked for format raw and should repeat that. Image transfer (${field("strategy", "image-transfer")}) can do without.`,
  });
}
