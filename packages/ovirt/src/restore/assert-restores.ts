import { UsageError } from "@ovault/contract";

import type { Capabilities } from "../model/capabilities.ts";

/** @throws UsageError when the engine is too old for disks that are filled one by one */
export function assertRestores({ diskAttachments, product }: Capabilities): void {
  if (diskAttachments) return;
  throw new UsageError(`the engine is oVirt ${product.version.full}, and ovault restores to 4.0 and later`, {
    hint: (field) =>
      `Restore into its export domain (${field("strategy", "export-domain")}), to another engine, or a disk to a file: ${field("disk", "DISK")} ${field("toFile", "FILE")}.`,
  });
}
