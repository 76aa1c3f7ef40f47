import type { Assessment, Diagnosis, VirtualMachine } from "@ovault/contract";
import { allImpossible, FROZEN_IN, lastingState, type OvirtManager, Recent, SnapshotStrategy } from "@ovault/ovirt";

import { assessDisk } from "./assess-disk.ts";
import { diagnose } from "./diagnosis/diagnose.ts";
import { sshFiller } from "./filling/ssh-filler.ts";
import { BusyHosts } from "./hosts/busy-hosts.ts";
import { Credentials, type CredentialsHost } from "./hosts/credentials.ts";
import { readLandscape, type Landscape } from "./hosts/landscape.ts";
import type { Ranking } from "./hosts/rank-hosts.ts";
import { ownLeftovers } from "./leftovers.ts";
import type { SshTransferOptions } from "./options.ts";
import { sshReader } from "./reading/ssh-reader.ts";
import type { SshSite } from "./site.ts";
import { STRATEGY_NAME } from "./strategy-name.ts";

const TOO_OLD = "backups over SSH need oVirt 4.0";

/** Long enough for `ovault vms` and for a policy to assess all machines with one lookup. */
const LANDSCAPE_AGE_MS = 30_000;

/** Backups through snapshots whose layers hosts serve over SSH. */
export class SshTransferStrategy extends SnapshotStrategy {
  readonly name = STRATEGY_NAME;
  readonly #site: SshSite;
  readonly #landscape = new Recent<Landscape>(LANDSCAPE_AGE_MS);

  /** @param host reads the secrets of the options */
  constructor(manager: OvirtManager, options: SshTransferOptions, host: CredentialsHost) {
    const site = { options, credentials: new Credentials(options, host), busy: new BusyHosts() };
    super({ manager, options, reader: sshReader(site), filler: sshFiller(site), leftovers: ownLeftovers(site) });
    this.#site = site;
  }

  /**
   * A strategy whose logins were checked as far as this machine can.
   * @throws ConfigurationError with the path of the option, before anything is asked
   */
  static async open(...parts: ConstructorParameters<typeof SshTransferStrategy>): Promise<SshTransferStrategy> {
    const strategy = new SshTransferStrategy(...parts);
    await strategy.#site.credentials.check();
    return strategy;
  }

  async assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment> {
    if (!(await this.manager.capabilities(signal)).diskAttachments) {
      return allImpossible(vm, TOO_OLD);
    }
    const ranking = await this.#ranking(signal);
    const remedy = this.#site.credentials.remedy(ranking?.landscape);
    return {
      disks: vm.disks.map((disk) => assessDisk(vm, disk, ranking, remedy)),
      obstacle: lastingState(vm, FROZEN_IN),
    };
  }

  /** Asks the engine nothing where there is no login. */
  async #ranking(signal: AbortSignal): Promise<Ranking | undefined> {
    if (!this.#site.credentials.any) return undefined;
    const landscape = await this.#landscape.get(() => readLandscape(this.manager.api, signal));
    return { ...this.#site, landscape };
  }

  async diagnose(signal: AbortSignal, onWait?: (what: string) => void): Promise<readonly Diagnosis[]> {
    if (!(await this.manager.capabilities(signal)).diskAttachments) {
      return [{ name: "hosts", status: "skip", detail: TOO_OLD, hint: null }];
    }
    return diagnose(this.manager.api, { ...this.#site, onWait }, signal);
  }
}
