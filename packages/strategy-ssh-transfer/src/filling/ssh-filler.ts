import { observe, settleAll } from "@ovault/contract";
import type { DiskFiller, DiskFilling, FillingSite, MadeDisk } from "@ovault/ovirt";

import { HypervisorError } from "../errors.ts";
import { chooseHost, type ChosenHost } from "../hosts/choose-host.ts";
import { HostLogins } from "../hosts/host-logins.ts";
import { Hypervisors } from "../hosts/hypervisors.ts";
import { readLandscape } from "../hosts/landscape.ts";
import { hostsOf } from "../hosts/rank-hosts.ts";
import { reportSilence } from "../hosts/silence.ts";
import { Held } from "../held.ts";
import type { SshSite } from "../site.ts";
import { openNewDisk, type NewDisk } from "./open-new-disk.ts";

/** Fills the new disks of a restore on the hosts that see them, over SSH. */
export function sshFiller(site: SshSite): DiskFiller {
  return {
    fillsCow: () => true,

    async assertReach(api, { name, dataCenterId }, signal) {
      const landscape = await readLandscape(api, signal);
      const hosts =
        dataCenterId === undefined ? "it has no data center" : hostsOf(dataCenterId, { ...site, landscape });
      if (typeof hosts !== "string") return;
      throw new HypervisorError(`no host fills disks for cluster ${name}: ${hosts}`, {
        hint: "Give the login of one in ovault.yaml, under strategies: { ssh-transfer: … }, or restore with another strategy.",
      });
    },

    open: (disks, filling) => SshFilling.open(disks, site, filling),
  };
}

class SshFilling implements DiskFilling {
  readonly #disks: readonly NewDisk[];
  readonly #held: Held;

  private constructor(disks: readonly NewDisk[], held: Held) {
    this.#disks = disks;
    this.#held = held;
  }

  static async open(disks: readonly MadeDisk[], site: SshSite, { api, context }: FillingSite): Promise<SshFilling> {
    const { ledger, hooks, signal } = context;
    const landscape = await readLandscape(api, signal);
    const hypervisors = new Hypervisors(landscape, site.credentials);
    const held = new Held();
    held.add(() => hypervisors.close());
    try {
      const { dataCenterDirectory } = site.options;
      const warn = (message: string): void => observe(context.hooks.warning, message);
      site.credentials.warnOfUnknownNames(landscape, warn);
      const onWait = (detail: string): void => observe(hooks.phase, { phase: "wait", detail });
      const logins = new HostLogins({ hypervisors, onWait, warn });
      const search = { ...site, landscape, logins, dataCenterDirectory };
      const hosts: ChosenHost[] = [];
      for (const { id, record, domain } of disks) {
        const disk = { id, alias: record.disk.alias, storageDomain: domain };
        const chosen = await chooseHost(disk, {}, search, signal);
        held.add(site.busy.enter(chosen.host.id));
        hosts.push(chosen);
      }
      const parts = held.perHost(
        hosts.map(({ host }) => host.name),
        reportSilence(hooks),
      );
      const opened = hosts.map(async (chosen, index) => {
        const made = disks[index];
        if (made === undefined) throw new RangeError("more hosts than disks");
        const opening = { api, chosen, options: site.options, ledger, held: parts[index] ?? held };
        return await openNewDisk(made, opening, signal);
      });
      return new SshFilling(await settleAll(opened), held);
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  get targets(): DiskFilling["targets"] {
    return this.#disks.map(({ target }) => target);
  }

  async finish(): Promise<void> {
    await settleAll(this.#disks.map((disk) => disk.finish()));
    await this.#held.release();
  }

  abandon(): Promise<void> {
    return this.#held.release();
  }
}
