export { main } from "./main.ts";
export type { ErrorSummary } from "./output/error-text.ts";
export type { PointSummary, DiskSummary } from "./commands/point-summary.ts";
export type { PolicySummary } from "./commands/policy-summary.ts";
export type { VmSummary } from "./commands/vms.ts";
