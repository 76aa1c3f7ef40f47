export { LabBench, type BackupWishes, type Taken } from "./lab-bench.ts";
export { fillTarget, restoreRequest, type RestoreWishes } from "./restore-taken.ts";
export {
  LabSite,
  WEB_DISKS,
  type LabSiteOptions,
  type SiteDisk,
  type SiteMachine,
  type SshOptions,
} from "./lab-site.ts";
export { differences, sameBytes } from "./compare-views.ts";
export { never } from "./never.ts";
