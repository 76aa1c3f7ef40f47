export { startBlockWorkers } from "./blocks/workers/block-workers.ts";
export { assertPoliciesRefer } from "./config/assert-policies-refer.ts";
export { chooseCodec } from "./config/choose-codec.ts";
export { chooseEntry } from "./config/choose-entry.ts";
export { choosePolicy } from "./config/choose-policy.ts";
export type { Configuration, DestinationEntry, PluginEntry } from "./config/configuration.ts";
export { DESTINATION_SETTINGS } from "./config/destination-settings-schema.ts";
export type { EncryptionSettings } from "./config/destination-settings.ts";
export { loadConfiguration, parseConfiguration } from "./config/load-configuration.ts";
export { pathText, problemsOf } from "./config/problems-of.ts";
export { originBelow } from "./config/origin.ts";
export { Redactor } from "./config/redactor.ts";
export { resolveSecret } from "./config/secrets.ts";
export { validate, validateOptions } from "./config/validate.ts";
export { type CopyResult, copyPoints } from "./copy/copy-points.ts";
export type { CopyTotals } from "./copy/copy-totals.ts";
export { createKeyFile, readKeyFile } from "./encryption/key-file.ts";
export { type KeyInfo, KeyRing } from "./encryption/key-ring.ts";
export { type RepositoryAccess, openKeyRing } from "./encryption/open-protection.ts";
export { RepositorySecret } from "./encryption/repository-secret.ts";
export { REPOSITORY_KEY } from "./format/layout.ts";
export { type ImageSpaceReport, imageSpace, type PointImagesSpace } from "./images/image-space.ts";
export { ImagePoints, type ImagePointsOptions } from "./images/image-points.ts";
export { machineLease } from "./leases/machine-lease.ts";
export { FileLedger } from "./ledger/file-ledger.ts";
export type { Ledger, LedgerReport, LedgerRun, LedgerRunOptions } from "./ledger/ledger.ts";
export { lossesOfMarked } from "./verify/losses-of-marked.ts";
export type { PackSum } from "./maintenance/pack-space.ts";
export type { RepackLimits } from "./maintenance/plan-prune.ts";
export { DEFAULT_REPACK, type PruneProgress, type PruneReport } from "./maintenance/prune-report.ts";
export { prune } from "./maintenance/prune.ts";
export type { BlockingRun } from "./maintenance/blocking-runs.ts";
export { type SpaceReport, spaceReport } from "./maintenance/space-report.ts";
export { validateExtents } from "./pipeline/validate-extents.ts";
export { loadPlugin } from "./plugins/load-plugin.ts";
export { type PluginOptions, PluginRegistry } from "./plugins/plugin-registry.ts";
export type {
  DamagedManifest,
  MachinePointListing,
  OpenDiskOptions,
  PointCatalog,
  PointListing,
  PointStore,
} from "./points/point-store.ts";
export { excludedDisks } from "./policies/excluded-disks.ts";
export { nextRuns } from "./policies/next-runs.ts";
export { isPlainName } from "./policies/parse-machine-selector.ts";
export type { BackupType, Policy } from "./policies/policy.ts";
export { type RetentionSource, machinesOfPolicy, retentionByMachine } from "./policies/retention-by-machine.ts";
export { DEFAULT_RUN_LIMITS, type RunLimits } from "./policies/run-limits.ts";
export { schedulesIncrements } from "./policies/schedules-increments.ts";
export { selectBySources } from "./policies/select-by-sources.ts";
export { type MachineSelection, selectMachines } from "./policies/select-machines.ts";
export { BlockCache } from "./repository/reading/block-cache.ts";
export type { OpenPointDiskOptions } from "./repository/reading/open-point-disk.ts";
export { PointDisk } from "./repository/reading/point-disk.ts";
export type { DamagedThing, RepairReport } from "./repair/repair-report.ts";
export { repairRepository } from "./repair/repair-repository.ts";
export type { DiskLosses } from "./points/lost-ranges.ts";
export { IndexCache } from "./repository/index/index-cache.ts";
export { ManagerNames } from "./points/manager-names.ts";
export { parsePoint } from "./points/point-schema.ts";
export type { HoldPointOptions, PointHold } from "./points/point-hold.ts";
export { originOf } from "./points/point-id.ts";
export { inOrder, orderInDoubt } from "./points/point-order.ts";
export { unclaimedWarnings } from "./points/unclaimed-warnings.ts";
export { Repository } from "./repository/repository.ts";
export type { RetentionRules } from "./retention/retention-rules.ts";
export type { KeptPoint } from "./retention/select-points.ts";
export { type BackupOptions, backupVirtualMachine } from "./runs/backup-virtual-machine.ts";
export { type MachineBackupOutcome, backupVirtualMachines } from "./runs/backup-virtual-machines.ts";
export {
  type StrategyAssessment,
  type StrategyChoice,
  assessStrategy,
  chooseStrategy,
} from "./runs/choose-strategy.ts";
export { type BackupPlan, planBackup } from "./runs/plan-backup.ts";
export { restoreToTarget } from "./runs/restore-to-target.ts";
export { restoreVirtualMachine } from "./runs/restore-virtual-machine.ts";
export { RunQueue } from "./runs/run-queue.ts";
export { SupersededBase } from "./runs/superseded-base.ts";
export { CallStatistics } from "./store/call-statistics.ts";
export { limited } from "./store/limited.ts";
export { logged } from "./store/logged.ts";
export { Outage } from "./store/outage.ts";
export { readOnly } from "./store/read-only.ts";
export { BRIEF_RETRIES, DEFAULT_RETRIES, repeated } from "./store/repeated.ts";
export { retrying } from "./store/retrying.ts";
export { throttled } from "./store/throttled.ts";
export { timed } from "./store/timed.ts";
export { durationInMs } from "./util/duration-in-ms.ts";
export { newRunId } from "./util/run-id.ts";
export { reportWarningsTo } from "./util/warn-once.ts";
export { verifyImages } from "./verify/verify-images.ts";
export { verifyPoints } from "./verify/verify-points.ts";
export type { VerifyOptions, VerifyProgress, VerifyReport } from "./verify/verify-report.ts";
export { verifyRepository } from "./verify/verify-repository.ts";
export { verifySample } from "./verify/verify-sample.ts";
