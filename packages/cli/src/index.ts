export { main } from "./main.ts";
export type { ErrorSummary } from "@ovault/operations";
export type { PointSummary, DiskSummary } from "@ovault/operations";
export type { PolicySummary } from "@ovault/operations";
export type { VmSummary } from "./commands/vms.ts";
