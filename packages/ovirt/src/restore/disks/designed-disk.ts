import type { DiskRecord } from "@ovault/contract";

import type { StorageDomain } from "../../model/storage-domain.ts";
import type { DiskLayout } from "./disk-layout.ts";

/** A disk of a point, with the place and the form it will have. */
export interface DesignedDisk {
  readonly record: DiskRecord;
  readonly domain: StorageDomain;
  readonly layout: DiskLayout;
  /** Where the point's disk profile and quota exist here. */
  readonly placement: { readonly diskProfileId?: string; readonly quotaId?: string };
}
