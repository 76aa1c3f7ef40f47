import { observe, settleAll, type BackupRequest, type DiskSource } from "@ovault/contract";
import type { DiskPlan, ReadingSite, VolumeReader, VolumeReading } from "@ovault/ovirt";

import { chooseHost, type ChosenHost } from "../hosts/choose-host.ts";
import { HostLogins } from "../hosts/host-logins.ts";
import { Hypervisors } from "../hosts/hypervisors.ts";
import { readLandscape } from "../hosts/landscape.ts";
import type { SshSite } from "../site.ts";
import { reportSilence } from "../hosts/silence.ts";
import { assertNoMerge, assertSameChain } from "./assert-frozen-chain.ts";
import { Held } from "../held.ts";
import { openDisk, type OpenedDisk } from "./open-disk.ts";

/** Reads the layers of disks on the hosts that see them. */
export function sshReader(site: SshSite): VolumeReader {
  return {
    // The headers on the host name all layers down to the base.
    increments: () => ({ engineTells: false, headerTells: true }),
    readsChains: () => true,
    prepare: (request, reading) => SshReading.prepare(request, site, reading),
  };
}

class SshReading implements VolumeReading {
  readonly #request: BackupRequest;
  readonly #site: SshSite;
  readonly #reading: ReadingSite;
  /** By disk id. */
  readonly #hosts: ReadonlyMap<string, ChosenHost>;
  readonly #held: Held;
  #disks: readonly OpenedDisk[] = [];

  private constructor(
    request: BackupRequest,
    site: SshSite,
    reading: ReadingSite,
    hosts: ReadonlyMap<string, ChosenHost>,
    held: Held,
  ) {
    this.#request = request;
    this.#site = site;
    this.#reading = reading;
    this.#hosts = hosts;
    this.#held = held;
  }

  /** Logs in at a host for each disk. @throws HypervisorError when there is none */
  static async prepare(request: BackupRequest, site: SshSite, reading: ReadingSite): Promise<SshReading> {
    const { signal } = reading.context;
    const landscape = await readLandscape(reading.api, signal);
    const hypervisors = new Hypervisors(landscape, site.credentials);
    const held = new Held();
    held.add(() => hypervisors.close());
    try {
      const { dataCenterDirectory } = site.options;
      const warn = (message: string): void => observe(reading.context.hooks.warning, message);
      site.credentials.warnOfUnknownNames(landscape, warn);
      const onWait = (detail: string): void => observe(reading.context.hooks.phase, { phase: "wait", detail });
      const logins = new HostLogins({ hypervisors, onWait, warn });
      const search = { ...site, landscape, logins, dataCenterDirectory };
      const hosts = new Map<string, ChosenHost>();
      for (const disk of request.disks) {
        const chosen = await chooseHost(disk, request.vm, search, signal);
        held.add(site.busy.enter(chosen.host.id));
        hosts.set(disk.id, chosen);
      }
      return new SshReading(request, site, reading, hosts, held);
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  /** The engine knows nothing of what is open on hosts. */
  get holdsVolumes(): boolean {
    return false;
  }

  /** A process on its host serves each disk. */
  async open(plans: readonly DiskPlan[], _snapshotId: string, signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { vm } = this.#request;
    const { api, context } = this.#reading;
    await assertNoMerge(api, vm.id, signal);
    const held = new Held();
    this.#held.add(() => held.release());
    const hosts = plans.map((plan) => this.#hostOf(plan).host.name);
    const parts = held.perHost(hosts, reportSilence(context.hooks));
    const warn = (message: string): void => observe(context.hooks.warning, message);
    const site = { api, vmId: vm.id, options: this.#site.options, ledger: context.ledger, warn };
    try {
      this.#disks = await settleAll(
        plans.map((plan, index) =>
          openDisk(plan, { ...site, chosen: this.#hostOf(plan), held: parts[index] ?? held }, signal),
        ),
      );
    } catch (error) {
      await held.release();
      throw error;
    }
    return this.#disks.map(({ source }) => source);
  }

  /** The layers are as they were when they were opened, and so is what was read of them. */
  async confirm(signal: AbortSignal): Promise<void> {
    await settleAll(
      this.#disks.map(({ source: { disk }, layers }) =>
        assertSameChain(this.#hostOf({ disk }).hypervisor, disk, layers, signal),
      ),
    );
  }

  close(): Promise<void> {
    return this.#held.release();
  }

  #hostOf({ disk }: Pick<DiskPlan, "disk">): ChosenHost {
    const chosen = this.#hosts.get(disk.id);
    if (chosen === undefined) throw new RangeError(`disk ${disk.alias} has no host`);
    return chosen;
  }
}
