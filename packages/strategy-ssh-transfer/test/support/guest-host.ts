import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Host } from "@ovault/ovirt";
import { SshSession, sshServer } from "@ovault/ssh";
import { LinuxGuest, type GuestUser } from "@ovault/test-support/linux-guest/linux-guest";
import { never } from "@ovault/testkit-ovirt";

import { Hypervisor } from "../../src/hosts/hypervisor.ts";
import { probeTools } from "../../src/hosts/host-tools.ts";
import { sudoersLines } from "../../src/volumes/lvm-commands.ts";

const PV_BYTES = 64 * 1024 ** 3;
const TIMEOUT_MS = 60_000;

/** A hypervisor: a Linux guest with a LUN, and a user that may activate its volumes with sudo. */
export class GuestHost implements AsyncDisposable {
  readonly guest: LinuxGuest;
  readonly #directory: string;
  readonly #sessions: SshSession[] = [];

  private constructor(guest: LinuxGuest, directory: string) {
    this.guest = guest;
    this.#directory = directory;
  }

  static async start(): Promise<GuestHost> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-guest-host-"));
    const disk = join(directory, "lun");
    await writeFile(disk, "");
    await truncate(disk, PV_BYTES);
    const host = new GuestHost(await LinuxGuest.start({ disks: [disk] }), directory);
    await host.allowSudo(true);
    return host;
  }

  /** Whether sudo lets `ovault` run the documented commands. */
  async allowSudo(allowed: boolean): Promise<void> {
    const input = Buffer.from(`${sudoersLines("ovault").join("\n")}\n`);
    const file = "/etc/sudoers.d/ovault";
    if (allowed) await this.guest.run(`umask 337; cat > ${file}; visudo -c -q`, [], { input });
    else await this.guest.run(`rm ${file}`);
  }

  /** A new log-in, as a run makes it. */
  async logIn(user: GuestUser): Promise<Hypervisor> {
    const { sshPort: port, keyFile, knownHosts } = this.guest;
    const key = await readFile(keyFile, "utf8");
    const authentication = { by: "key", key } as const;
    const server = await sshServer(
      { host: "127.0.0.1", port, user, authentication, trust: { knownHosts } },
      TIMEOUT_MS,
    );
    const session = await SshSession.open(server, never);
    this.#sessions.push(session);
    return new Hypervisor(GUEST, session, await probeTools(session, never));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) await session.close();
    await this.guest[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true });
  }
}

const GUEST: Host = {
  id: randomUUID(),
  name: "kvm1",
  address: "127.0.0.1",
  status: "up",
  clusterId: undefined,
  sshPort: undefined,
  sshFingerprint: undefined,
  sshPublicKey: undefined,
  activeVms: undefined,
  spmStatus: undefined,
  version: undefined,
};
