import { imageSpace, type ImageSpaceReport, spaceReport, type SpaceReport } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import { describeHolders } from "../maintenance/describe-holders.ts";

export interface RepositorySpace {
  readonly content: "repository";
  readonly report: SpaceReport;
  /** Runs that may rely on what is condemned, for people. */
  readonly holders: readonly string[];
}

export interface ImagesSpace {
  readonly content: "images";
  readonly report: ImageSpaceReport;
}

export type SpaceOutcome = RepositorySpace | ImagesSpace;

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
  const store = await installation.points(from);
  if (store.kind === "images") return { content: "images", report: await imageSpace(store, signal) };
  const report = await spaceReport(store, { ...(onPages && { onProgress: onPages }), signal });
  return { content: "repository", report, holders: await describeHolders(store, report.condemned.heldBy, signal) };
}
