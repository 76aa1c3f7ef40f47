import { readdir } from "node:fs/promises";
import { join } from "node:path";

import type { EngineVersion } from "@ovault/lab";
import { FileDomain } from "@ovault/storage-domain";
import { LabBench, LabSite, WEB_DISKS, type LabSiteOptions, type SiteDisk } from "@ovault/testkit-ovirt";

import { ExportDomainStrategy, optionsSchema, type ExportDomainOptions } from "../../src/index.ts";

export { differences, fillTarget, never, restoreRequest, sameBytes, type Taken } from "@ovault/testkit-ovirt";

export interface BenchOptions extends Pick<LabSiteOptions, "product" | "inventory"> {
  readonly engineVersion?: EngineVersion;
  readonly disks?: readonly SiteDisk[];
  readonly down?: boolean;
}

/** A lab with the virtual machine `web`, which serves a folder for its export domain. */
export class Bench extends LabBench {
  /** What the engine's hosts mount. */
  readonly folder: string;
  readonly domainId: string;

  static async open({ disks = WEB_DISKS, down = false, ...options }: BenchOptions = {}): Promise<Bench> {
    const machines = [{ name: "web", disks, down }];
    const site = await LabSite.open({ engineVersion: "4.1", ...options, machines, staging: true });
    const [place] = site.lab.staging;
    if (place === undefined) throw new Error("the lab has no export domain: install libnfs13");
    const [id = ""] = await FileDomain.idsBelow(place.folder);
    return new Bench(site, place.folder, id);
  }

  private constructor(site: LabSite, folder: string, domainId: string) {
    super(site, strategyOn(site, { staging: folder }));
    this.folder = folder;
    this.domainId = domainId;
  }

  strategyWith(options: Partial<ExportDomainOptions>, manager = this.manager): ExportDomainStrategy {
    return strategyOn(this.site, { staging: this.folder, ...options }, manager);
  }

  /** A path in the export domain. */
  path(...parts: readonly string[]): string {
    return join(this.folder, this.domainId, ...parts);
  }

  /** Everything runs have left, also in the folder, one text each. */
  override async left(...machines: readonly string[]): Promise<readonly string[]> {
    const found = [...(await super.left(...machines))];
    for (const part of ["images", "master/vms"]) {
      found.push(...(await readdir(this.path(part))).map((name) => `${part}: ${name}`));
    }
    const slots = await readdir(join(this.folder, ".ovault")).catch(() => []);
    return [...found, ...slots.map((name) => `slot: ${name}`)];
  }
}

export function strategyOn(
  site: LabSite,
  options: Partial<ExportDomainOptions>,
  manager = site.manager,
): ExportDomainStrategy {
  return new ExportDomainStrategy(manager, { ...optionsSchema.parse({}), ...options });
}
