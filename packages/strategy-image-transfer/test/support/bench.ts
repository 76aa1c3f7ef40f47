import type { EngineVersion } from "@ovault/lab";
import { LabBench, LabSite, WEB_DISKS } from "@ovault/testkit-ovirt";

import { ImageTransferStrategy, type ImageTransferOptions } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

export { never, type Taken } from "@ovault/testkit-ovirt";

export interface BenchOptions {
  readonly engineVersion?: EngineVersion;
  readonly down?: boolean;
  readonly guestAgent?: boolean;
}

/** The strategy on a machine whose disks are `WEB_DISKS`. */
export class Bench extends LabBench<ImageTransferStrategy> {
  static async open({ engineVersion, down = false, guestAgent = true }: BenchOptions = {}): Promise<Bench> {
    const web = { name: "web", disks: WEB_DISKS, down, guestAgent };
    const site = await LabSite.open({ engineVersion, machines: [web] });
    return new Bench(site, strategyOn(site.manager));
  }

  strategyWith(options: Partial<ImageTransferOptions>, manager = this.manager): ImageTransferStrategy {
    return strategyOn(manager, options);
  }
}

function strategyOn(manager: LabSite["manager"], options: Partial<ImageTransferOptions> = {}): ImageTransferStrategy {
  return new ImageTransferStrategy(manager, { ...optionsSchema.parse({}), ...options });
}
