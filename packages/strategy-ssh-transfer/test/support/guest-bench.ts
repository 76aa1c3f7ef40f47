import type { EngineVersion } from "@ovault/lab";
import type { GuestUser } from "@ovault/test-support/linux-guest/linux-guest";
import { LabBench, LabSite, WEB_DISKS } from "@ovault/testkit-ovirt";

import type { SshTransferStrategy } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";
import { strategyOn } from "./bench.ts";
import { GuestHost } from "./guest-host.ts";
import { GuestStorage } from "./guest-storage.ts";

/** The strategy on a machine whose disks, `WEB_DISKS`, are logical volumes of a guest, which is the host `kvm1`. */
export class GuestBench extends LabBench<SshTransferStrategy> {
  readonly host: GuestHost;
  readonly storage: GuestStorage;

  private constructor(site: LabSite, host: GuestHost, storage: GuestStorage) {
    super(site, strategyAs("root", site, host));
    this.host = host;
    this.storage = storage;
  }

  static async open(engineVersion: EngineVersion): Promise<GuestBench> {
    const host = await GuestHost.start();
    const { sshPort: port, hostKey: publicKey } = host.guest;
    const blockStorage = new GuestStorage(host.guest);
    const outside = { address: "127.0.0.1", port, user: "root", publicKey };
    const site = await LabSite.open({
      engineVersion,
      machines: [{ name: "web", disks: WEB_DISKS, storageDomain: "san" }],
      inventory: { storageDomains: [{ name: "san", storageType: "iscsi" }], hosts: [{ name: "kvm1", outside }] },
      blockStorage,
    });
    return new GuestBench(site, host, blockStorage);
  }

  strategyAs(user: GuestUser): SshTransferStrategy {
    return strategyAs(user, this.site, this.host);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.host[Symbol.asyncDispose]();
  }
}

/** Trusts the host by the key that the engine has on record. Knows no other host. */
function strategyAs(user: GuestUser, site: LabSite, { guest: { keyFile } }: GuestHost): SshTransferStrategy {
  const options = optionsSchema.parse({ hosts: { kvm1: { user, privateKey: keyFile } } });
  return strategyOn(site, { ...options, login: undefined });
}
