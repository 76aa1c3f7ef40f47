import { observe, plural, type RestoreRequest, type RunContext } from "@ovault/contract";

import type { OvirtManager } from "../manager/manager.ts";
import type { LeftoverKinds } from "../leftovers/leftover-kind.ts";
import { assertRestores } from "./assert-restores.ts";
import { FileUploadError } from "./fill/assert-guest-data.ts";
import { NOTHING_TO_FILL, type DiskFiller, type FillingSite } from "./fill/disk-filler.ts";
import { makeDisk } from "./disks/make-disk.ts";
import { dropDisk } from "./disks/drop-disk.ts";
import { designAsFiles, designRestore, type RestoreDesign } from "./design/restore-design.ts";
import { OvirtRestoreSession } from "./restore-session.ts";

/** What is particular about a strategy's restores. */
export interface RestoreWay {
  readonly filler: DiskFiller;
  /** Kinds of leftovers that only this strategy makes. */
  readonly leftovers: LeftoverKinds;
}

/**
 * Makes the disks of a point and opens them for writing. All strategies for oVirt share it and differ only in the
 * filler: a point can be restored by any of them. Cleans up before it throws, as far as possible.
 */
export async function openRestore(
  manager: OvirtManager,
  { filler, leftovers }: RestoreWay,
  request: RestoreRequest,
  context: RunContext,
): Promise<OvirtRestoreSession> {
  const { signal, runId } = context;
  const api = manager.apiFor(runId, context.hooks);
  const capabilities = await manager.capabilities(signal);
  assertRestores(capabilities);
  const design = await designRestore(api, { capabilities, filler }, request, signal);
  observe(context.hooks.phase, { phase: "open", detail: `creating ${plural(design.disks.length, "disk")}` });
  const warn = (warning: string): void => observe(context.hooks.warning, warning);
  design.warnings.forEach(warn);
  const opening = { request, filler, leftovers, site: { api, capabilities, context } };
  try {
    return await openDesigned(design, opening);
  } catch (error) {
    if (!(error instanceof FileUploadError)) throw error;
    const asFiles = designAsFiles(design);
    asFiles.warnings.filter((warning) => !design.warnings.includes(warning)).forEach(warn);
    return await openDesigned(asFiles, opening);
  }
}

interface Opening extends RestoreWay {
  readonly request: RestoreRequest;
  readonly site: FillingSite;
}

async function openDesigned(
  design: RestoreDesign,
  { request, filler, leftovers, site }: Opening,
): Promise<OvirtRestoreSession> {
  const { api, context } = site;
  const { ledger, signal } = context;
  const made = await Promise.allSettled(design.disks.map((disk) => makeDisk(disk, { api, ledger }, signal)));
  const disks = made.filter((one) => one.status === "fulfilled").map((one) => one.value);
  try {
    for (const one of made) if (one.status === "rejected") throw one.reason;
    const filling = disks.length === 0 ? NOTHING_TO_FILL : await filler.open(disks, site);
    return new OvirtRestoreSession({ api, request, design, disks, filling, leftovers }, context);
  } catch (error) {
    await Promise.all(disks.map((disk) => dropDisk(api, disk, { ...context, leftovers })));
    throw error;
  }
}
