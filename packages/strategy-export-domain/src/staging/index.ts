/** What the strategy and the commands that set an export domain up share. */
export { assertClaim, claimFolder, releaseFolder } from "./claim-folder.ts";
export { assertNoTurns } from "../room/slot-files.ts";
export { exportsLine, type NfsExport, VDSM } from "./exports-line.ts";
export { findExportDomain } from "./find-export-domain.ts";
export { openStaging } from "./open-staging.ts";
export { type NfsShare, proveShare } from "./prove-share.ts";
export { type StagingOptions } from "./staging-options.ts";
export { resolveStaging, stagingPlaceOf, stagingPlaces, type StagingPlace } from "./staging-place.ts";
