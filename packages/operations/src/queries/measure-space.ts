import { spaceReport, type SpaceReport } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import { describeHolders } from "../maintenance/describe-holders.ts";

export interface SpaceOutcome {
  readonly report: SpaceReport;
  /** Runs that may rely on what is condemned, for people. */
  readonly holders: readonly string[];
}

export interface SpaceQuery {
  /** Default: the default destination. */
  readonly from?: string | undefined;
  /** Called with the number of pages of block maps read. */
  readonly onPages?: (pages: number) => void;
}

/** The space usage of a destination. Changes nothing. */
export async function measureSpace(
  installation: Installation,
  { from, onPages }: SpaceQuery,
  signal: AbortSignal,
): Promise<SpaceOutcome> {
  const repository = await installation.repository(from);
  const report = await spaceReport(repository, { ...(onPages && { onProgress: onPages }), signal });
  return { report, holders: await describeHolders(repository, report.condemned.heldBy, signal) };
}
