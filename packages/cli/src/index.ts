export { main } from "./main.ts";
export type { DiskSummary, ErrorSummary, PointSummary, PolicySummary, VmSummary } from "@ovault/operations";
