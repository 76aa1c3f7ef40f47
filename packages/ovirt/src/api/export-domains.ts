import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseList } from "../model/parse-list.ts";
import { parseVm, type Vm } from "../model/vm.ts";
import { action } from "./action.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

export interface VmImport {
  readonly clusterId: string;
  /** Where its disks go. */
  readonly storageDomainId: string;
  /** Makes a machine of its own, with new ids. Needed where the engine has the machine already. */
  readonly clone?: { readonly name: string } | undefined;
  /** Merges the volumes of each disk into one. A clone needs it. */
  readonly collapseSnapshots: boolean;
}

/** Machines in export storage domains (deprecated since 4.1). */
export class ExportDomainService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /** The machines that lie in an active export domain. */
  async vms(domainId: string, signal: AbortSignal): Promise<readonly Vm[]> {
    return parseList(await this.#engine.get(path("storagedomains", domainId, "vms"), { signal }), "vms", "vm", parseVm);
  }

  /** Resolves while the new machine is still `image_locked`. */
  async importVm(domainId: string, vmId: string, wanted: VmImport, signal: AbortSignal): Promise<void> {
    const { clone, collapseSnapshots } = wanted;
    const old = (await this.#engine.apiVersion(signal)) === 3;
    const collapse = old && collapseSnapshots ? element("snapshots", {}, field("collapse_snapshots", true)) : undefined;
    const settings = [field("name", clone?.name), collapse].filter((one) => one !== undefined);
    const body = action(
      field("clone", clone === undefined ? undefined : true),
      reference("cluster", wanted.clusterId),
      reference("storage_domain", wanted.storageDomainId),
      field("vm", settings.length === 0 ? undefined : settings),
    );
    const query = old || !collapseSnapshots ? {} : { collapse_snapshots: true };
    await this.#engine.post(path("storagedomains", domainId, "vms", vmId, "import"), body, { query, signal });
  }

  /** Deletes the machine's files from the domain. Succeeds if it is gone already. */
  async removeVm(domainId: string, vmId: string, signal: AbortSignal): Promise<void> {
    await orUndefined(this.#engine.delete(path("storagedomains", domainId, "vms", vmId), { signal }));
  }
}
