export type { AttachedDisk, DiskAttachmentChange } from "./api/attached-disk.ts";
export type { NewBackup } from "./api/backups.ts";
export type { NewDisk } from "./api/disks.ts";
export { hostsOfDataCenter, storageHostOf } from "./api/data-center-hosts.ts";
export { removeDisk } from "./api/remove-disk.ts";
export { EngineApi } from "./api/engine-api.ts";
export type { VmImport } from "./api/export-domains.ts";
export type { NewStorageDomain } from "./api/storage-domains.ts";
export type { NewTransfer, TransferSubject } from "./api/image-transfers.ts";
export type { NewSnapshot } from "./api/snapshots.ts";
export type { GivenRole, NewVmFromOvf, SnapshotClone, NicChange, VmChange, VmDetail } from "./api/vms.ts";
export { type DiskPlan, type LayerBase, NOT_ON_BASE } from "./chain/plan-disk.ts";
export type { LayerTelling, ReadingSite, VolumeReader, VolumeReading } from "./chain/volume-reader.ts";
export { withinBase } from "./chain/within-base.ts";
export {
  type CertificateFacts,
  type FetchCaOptions,
  type FetchedCa,
  certificateFacts,
  certificateName,
  fetchEngineCa,
} from "./engine/ca.ts";
export type { CallOptions, EngineCaller, OnWait } from "./engine/engine-caller.ts";
export { EngineClient, type EngineClientOptions, type EngineTimings } from "./engine/engine-client.ts";
export {
  EngineAnswerError,
  EngineConflictError,
  EngineFaultError,
  EnginePermissionError,
  EngineUnavailableError,
  EntityNotFoundError,
  withoutSize,
} from "./engine/errors.ts";
export { type TlsTrust, certificateErrorOf, codeOf, readCertificates, tlsOptions } from "./engine/tls.ts";
export { unlessRefused } from "./engine/refusal-of.ts";
export { arrived, pending } from "./engine/wait.ts";
export { wasRefused } from "./engine/was-refused.ts";
export { collectZeroExtents } from "./imageio/collect-zero-extents.ts";
export { ImageioConnectionError, ImageioError, NoDirtyExtentsError, TicketError } from "./imageio/errors.ts";
export { ExtentList } from "./imageio/extent-list.ts";
export {
  ImageioClient,
  type ImageioOptions,
  MAX_HOST_CONNECTIONS,
  type TransferAddress,
} from "./imageio/imageio-client.ts";
export type { ImageioExtent } from "./imageio/parse-extents.ts";
export type { ImageioAbilities } from "./imageio/read-options.ts";
export { goneLeftover } from "./leftovers/gone-leftover.ts";
export { assertUnused, InUseError } from "./leftovers/in-use.ts";
export type { LeftoverKind, LeftoverKinds, LeftoverLookUp } from "./leftovers/leftover-kind.ts";
export { allImpossible } from "./machine/all-impossible.ts";
export { MachineStateError } from "./machine/errors.ts";
export { holdConfiguration } from "./machine/hold-configuration.ts";
export { type Readiness, type ReadyVm, lastingState, readyMachine } from "./machine/ready-machine.ts";
export { savedOvf, vmDocuments } from "./machine/vm-documents.ts";
export { warnOfFirmware } from "./machine/warn-of-firmware.ts";
export { whyUnreadable } from "./machine/why-unreadable.ts";
export { whyUntouchable } from "./machine/why-untouchable.ts";
export { OvirtManager, ovirtManager } from "./manager/manager.ts";
export { default, type OvirtOptions } from "./manager/plugin.ts";
export { type DiskAttributes, type VmAttributes, diskAttributes, vmAttributes } from "./model/attributes.ts";
export { type Backup, isFinalBackupPhase } from "./model/backup.ts";
export { type Capabilities, capabilitiesOf } from "./model/capabilities.ts";
export type { Checkpoint } from "./model/checkpoint.ts";
export type { Cluster } from "./model/cluster.ts";
export type { DataCenter } from "./model/data-center.ts";
export type { DiskAttachment } from "./model/disk-attachment.ts";
export type { DiskSnapshot } from "./model/disk-snapshot.ts";
export type { EngineDisk } from "./model/engine-disk.ts";
export type { EngineVersion } from "./model/engine-version.ts";
export type { EngineEvent } from "./model/event.ts";
export type { HostNic } from "./model/host-nic.ts";
export type { Host } from "./model/host.ts";
export { type ImageTransfer, isFinalTransferPhase } from "./model/image-transfer.ts";
export type { NetworkAttachment } from "./model/network-attachment.ts";
export type { Network } from "./model/network.ts";
export type { Nic, NicFilter } from "./model/nic.ts";
export type { ProductInfo } from "./model/product-info.ts";
export type { ReportedDevice } from "./model/reported-device.ts";
export type { Snapshot } from "./model/snapshot.ts";
export type { StorageConnection } from "./model/storage-connection.ts";
export type { StorageDomain } from "./model/storage-domain.ts";
export type { Template } from "./model/template.ts";
export type { EngineUser } from "./model/user.ts";
export type { VmPool } from "./model/vm-pool.ts";
export type { Vm } from "./model/vm.ts";
export type { VnicProfile } from "./model/vnic-profile.ts";
export { type ExportedDisk, exportedOvf, type OvfExport } from "./ovf/exported-ovf.ts";
export { type OvfDescription, type OvfDisk, readOvf } from "./ovf/read-ovf.ts";
export { chooseCluster } from "./restore/design/choose-place.ts";
export { designRestore, type RestoreDesign } from "./restore/design/restore-design.ts";
export { assertMachineName, fittingAlias } from "./restore/disks/engine-names.ts";
export { type DiskLayout, isBlockStorage } from "./restore/disks/disk-layout.ts";
export type { MadeDisk } from "./restore/disks/make-disk.ts";
export { type DiskFiller, type DiskFilling, type FillingSite, NOTHING_TO_FILL } from "./restore/fill/disk-filler.ts";
export { transferFiller } from "./restore/fill/transfer-filler.ts";
export { assertRestores } from "./restore/assert-restores.ts";
export { dropDisk } from "./restore/disks/drop-disk.ts";
export { openRestore } from "./restore/open-restore.ts";
export { planRestore } from "./restore/plan-restore.ts";
export { OvirtRestoreSession, type RestoreParts } from "./restore/restore-session.ts";
export { connectNics } from "./restore/vm/connect-nics.ts";
export { giveBack } from "./restore/vm/give-back.ts";
export { releaseVm, startVm } from "./restore/vm/make-vm.ts";
export { removeVm } from "./restore/vm/remove-vm.ts";
export { NoRoomError, SnapshotFailedError, SnapshotRemovalError } from "./snapshot/errors.ts";
export { FROZEN_IN, type SnapshottedMachine, snapshotForBackup } from "./snapshot/snapshot-for-backup.ts";
export { type SnapshotToRemove, removeSnapshot } from "./snapshot/remove-snapshot.ts";
export { type SnapshotOptions, snapshotOptions } from "./snapshot/snapshot-options.ts";
export type { TakenSnapshot } from "./snapshot/take-snapshot.ts";
export { OvirtStrategy, type OvirtStrategyParts } from "./strategy/ovirt-strategy.ts";
export { Recent } from "./strategy/recent.ts";
export { SnapshotStrategy, type SnapshotStrategyParts } from "./strategy/snapshot-strategy.ts";
export { hasAnyTag, hasTag, runTag } from "./traces/run-tag.ts";
export { undo } from "./traces/undo.ts";
export { DiskTransfer, type FrozenVolume, type HostShare, type TransferRequest } from "./transfer/disk-transfer.ts";
export { type TransferEnd, endTransfer } from "./transfer/end-transfer.ts";
export { endTransfers } from "./transfer/end-transfers.ts";
export { TransferEndedError, transferEnded } from "./transfer/errors.ts";
export { HeldTransfers } from "./transfer/held-transfers.ts";
export { type OpenTransfer, openTransfers } from "./transfer/open-transfers.ts";
export { type TransferContext, transferContext } from "./transfer/transfer-context.ts";
export { type TransferOptions, transferOptions } from "./transfer/transfer-options.ts";
export { lookUpLeftovers } from "./strategy/look-up-leftovers.ts";
