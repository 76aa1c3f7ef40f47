import type { Repository } from "../repository/repository.ts";
import { verifyPacks } from "./verify-packs.ts";
import type { VerifyOptions, VerifyReport } from "./verify-report.ts";

/**
 * Everything: every pack is read whole, every point is walked, and index objects and manifests that are damaged are told.
 * Damage is reported, and written down in the repository as well as it can be, not thrown.
 */
export async function verifyRepository(repository: Repository, options: VerifyOptions): Promise<VerifyReport> {
  return await verifyPacks(repository, { choose: (packs) => packs.keys(), isWhole: true }, options);
}
