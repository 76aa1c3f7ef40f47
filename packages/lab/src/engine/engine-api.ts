import type { EngineCore } from "./engine-core.ts";
import type { AttachmentOperations } from "./operations/attachment-operations.ts";
import type { BackupOperations } from "./operations/backup-operations.ts";
import type { CheckpointOperations } from "./operations/checkpoint-operations.ts";
import type { DataDomainOperations } from "./operations/data-domain-operations.ts";
import type { DiskMoveOperations } from "./operations/disk-move-operations.ts";
import type { DiskOperations } from "./operations/disk-operations.ts";
import type { ExportDomainOperations } from "./operations/export-domain-operations.ts";
import type { GuestOperations } from "./operations/guest-operations.ts";
import type { NicOperations } from "./operations/nic-operations.ts";
import type { SnapshotOperations } from "./operations/snapshot-operations.ts";
import type { TagOperations } from "./operations/tag-operations.ts";
import type { TransferOperations } from "./operations/transfer-operations.ts";
import type { UnregisteredDiskOperations } from "./operations/unregistered-disk-operations.ts";
import type { UnregisteredVmOperations } from "./operations/unregistered-vm-operations.ts";
import type { VmExportOperations } from "./operations/vm-export-operations.ts";
import type { VmImportOperations } from "./operations/vm-import-operations.ts";
import type { VmOperations } from "./operations/vm-operations.ts";

/** The engine as the resources of the API see it: its parts and operations. */
export interface EngineApi {
  readonly core: EngineCore;
  readonly vms: VmOperations;
  readonly disks: DiskOperations;
  readonly diskMoves: DiskMoveOperations;
  readonly unregisteredDisks: UnregisteredDiskOperations;
  readonly unregisteredVms: UnregisteredVmOperations;
  readonly attachments: AttachmentOperations;
  readonly guests: GuestOperations;
  readonly nics: NicOperations;
  readonly snapshots: SnapshotOperations;
  readonly backups: BackupOperations;
  readonly checkpoints: CheckpointOperations;
  readonly transfers: TransferOperations;
  readonly tags: TagOperations;
  readonly dataDomains: DataDomainOperations;
  readonly exportDomains: ExportDomainOperations;
  readonly vmExports: VmExportOperations;
  readonly vmImports: VmImportOperations;
}
