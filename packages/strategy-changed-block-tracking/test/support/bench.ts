import type { EngineVersion, LabInventoryRequest } from "@ovault/lab";
import { LabBench, LabSite, WEB_DISKS } from "@ovault/testkit-ovirt";

import { ChangedBlockTracking } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

export { never, type Taken } from "@ovault/testkit-ovirt";

export interface BenchOptions {
  readonly engineVersion?: EngineVersion;
  readonly down?: boolean;
  readonly inventory?: LabInventoryRequest;
}

/** The strategy on a machine whose disks are `WEB_DISKS`. */
export class Bench extends LabBench<ChangedBlockTracking> {
  static async open({ down = false, ...options }: BenchOptions = {}): Promise<Bench> {
    const site = await LabSite.open({ ...options, machines: [{ name: "web", disks: WEB_DISKS, down }] });
    return new Bench(site, new ChangedBlockTracking(site.manager, optionsSchema.parse({})));
  }
}
