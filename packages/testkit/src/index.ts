export * from "./checks.ts";
export * from "./codec/codec-checks.ts";
export * from "./describe-checks.ts";
export * from "./describe-codec.ts";
export * from "./describe-image-store.ts";
export * from "./describe-object-store.ts";
export * from "./describe-strategy.ts";
export * from "./image-store/image-store-checks.ts";
export type { ImageStoreCheck, ImageStoreUnderTest } from "./image-store/image-store-under-test.ts";
export * from "./image-store/memory-image-store.ts";
export * from "./model/arbitrary-block-bytes.ts";
export * from "./model/arbitrary-disk.ts";
export * from "./model/arbitrary-extents.ts";
export * from "./model/arbitrary-point.ts";
export * from "./model/changes.ts";
export * from "./model/disk-stats.ts";
export * from "./model/memory-target.ts";
export * from "./model/model-disk.ts";
export * from "./model/model-strategy.ts";
export * from "./model/scheduled-time.ts";
export * from "./stores/eventually-consistent-store.ts";
export * from "./stores/faulty-store.ts";
export * from "./stores/holding-store.ts";
export * from "./stores/intercepted-store.ts";
export * from "./stores/listed.ts";
export * from "./stores/memory-store.ts";
export * from "./stores/scheduled-store.ts";
export * from "./stores/slow-store.ts";
export * from "./strategy/strategy-checks.ts";
export {
  takeBackup,
  withRun,
  type BackupBench,
  type HeldRun,
  type Meanwhile,
  type RunWishes,
  type TakenBackup,
} from "./strategy/take-backup.ts";
export type { GuestFill, StrategyBench, StrategyCheck, StrategyUnderTest } from "./strategy/strategy-under-test.ts";
export * from "./tally.ts";
