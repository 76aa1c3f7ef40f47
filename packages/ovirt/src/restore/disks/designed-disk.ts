import type { DiskRecord } from "@ovault/contract";

import type { StorageDomain } from "../../model/storage-domain.ts";
import type { DiskLayout } from "./disk-layout.ts";

/** A disk of a point, with its place and format in the restore. */
export interface DesignedDisk {
  readonly record: DiskRecord;
  readonly domain: StorageDomain;
  readonly layout: DiskLayout;
  /** The point's disk profile and quota, where they exist here. */
  readonly placement: { readonly diskProfileId?: string; readonly quotaId?: string };
}
