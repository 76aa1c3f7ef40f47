import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { run } from "../commands.ts";
import { freePort } from "../free-port.ts";
import { guestImage, type GuestImage } from "./guest-image.ts";

/** A boot takes 8 s alone, and longer beside other tests. */
const BOOT_MS = 120_000;
const COMMAND_MS = 120_000;
const LOOK_MS = 200;
const NEEDS = ["mmdebstrap", "qemu-system-x86_64", "qemu-img", "mke2fs", "ssh", "setpriv"];

/** Root's login, and that of a user without rights. */
export type GuestUser = "root" | "ovault";

export interface GuestOptions {
  /** Raw files that become /dev/vdb and so on. */
  readonly disks?: readonly string[];
  readonly memoryMiB?: number;
}

/** How a command runs in a guest. */
export interface GuestCommand {
  readonly as?: GuestUser;
  readonly input?: Uint8Array;
}

/** True when this machine can build and start a guest. Says so when not. */
export async function canStartGuests(): Promise<boolean> {
  const missing: string[] = process.getuid?.() === 0 ? [] : ["root"];
  for (const command of NEEDS) if (!(await isOnPath(command))) missing.push(command);
  if (missing.length === 0) return true;
  process.stderr.write(`SKIPPED, no Linux guest: this machine lacks ${missing.join(", ")}\n`);
  return false;
}

/**
 * A Linux machine of Debian's packages under QEMU, without hardware virtualization: LVM, device-mapper, sudo and a
 * kernel's NFS client for real. It reaches this machine as 10.0.2.2 and is reached by SSH alone. It dies with the
 * thread that started it.
 */
export class LinuxGuest implements AsyncDisposable {
  /** On 127.0.0.1. */
  readonly sshPort: number;
  /** Private key for all of its users. */
  readonly keyFile: string;
  /** Type and key of its sshd, as in known_hosts. */
  readonly hostKey: string;
  /** Knows the guest by 127.0.0.1 and its port. */
  readonly knownHosts: string;
  readonly #directory: string;
  readonly #process: ChildProcess;

  private constructor(sshPort: number, image: GuestImage, directory: string, process: ChildProcess) {
    this.sshPort = sshPort;
    this.keyFile = image.key;
    this.hostKey = image.hostKey;
    this.knownHosts = join(directory, "known_hosts");
    this.#directory = directory;
    this.#process = process;
  }

  static async start({ disks = [], memoryMiB = 768 }: GuestOptions = {}): Promise<LinuxGuest> {
    const image = await guestImage();
    const directory = await mkdtemp(join(tmpdir(), "ovault-guest-"));
    const overlay = join(directory, "root.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image.root, "-F", "raw", overlay]);
    const sshPort = await freePort();
    const drives = [{ file: overlay, format: "qcow2" }, ...disks.map((file) => ({ file, format: "raw" }))];
    const qemu = [
      // Boots with hardware virtualization fail on nested hosts: never chosen by chance.
      ...`qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m ${memoryMiB} -nodefaults -display none`.split(
        " ",
      ),
      ..."-device virtio-rng-pci -device virtio-net-pci,netdev=net -append".split(" "),
      "console=ttyS0 quiet net.ifnames=0 mitigations=off",
      ...drives.flatMap(({ file, format }) => [
        "-drive",
        `file=${file},format=${format},if=virtio,cache=unsafe,discard=unmap,detect-zeroes=unmap`,
      ]),
      "-kernel",
      image.kernel,
      "-initrd",
      image.initrd,
      "-serial",
      `file:${join(directory, "console")}`,
      "-netdev",
      `user,id=net,hostfwd=tcp:127.0.0.1:${sshPort}-:22`,
    ];
    const process = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...qemu], { stdio: ["ignore", "ignore", "pipe"] });
    const guest = new LinuxGuest(sshPort, image, directory, process);
    await writeFile(guest.knownHosts, `[127.0.0.1]:${sshPort} ${image.hostKey}\n`);
    await guest.#booted();
    return guest;
  }

  /** Runs a script of `sh` with arguments and answers with what it prints. Rejects when it fails. */
  async run(script: string, args: readonly string[] = [], command: GuestCommand = {}): Promise<string> {
    return (await this.output(script, args, command)).toString();
  }

  /** As `run`, with its output as it is. */
  async output(
    script: string,
    args: readonly string[] = [],
    { as = "root", input }: GuestCommand = {},
  ): Promise<Buffer> {
    const remote = ["sh", "-c", script, "sh", ...args].map(quoted).join(" ");
    const ssh = spawn("ssh", [...this.#sshOptions(as), `${as}@127.0.0.1`, remote], {
      stdio: "pipe",
      timeout: COMMAND_MS,
    });
    const [output, said]: [Buffer[], Buffer[]] = [[], []];
    ssh.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    ssh.stderr.on("data", (chunk: Buffer) => said.push(chunk));
    // A command that reads no input closes it.
    ssh.stdin.on("error", () => {});
    ssh.stdin.end(input);
    const [code]: unknown[] = await once(ssh, "close");
    if (code === 0) return Buffer.concat(output);
    throw new Error(`in the guest: ${script} ended with ${String(code)}: ${Buffer.concat(said).toString()}`);
  }

  /** The last lines on its console, to explain a failure. */
  async console(): Promise<string> {
    return (await readFile(join(this.#directory, "console"), "utf8")).slice(-2000);
  }

  /** Like a power cut. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isRunning) {
      this.#process.kill("SIGKILL");
      await once(this.#process, "exit");
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async #booted(): Promise<void> {
    let said = "";
    this.#process.stderr?.on("data", (text) => (said = `${said}${text}`.slice(-2000)));
    for (const until = performance.now() + BOOT_MS; ;) {
      const isUp = await this.run("true").then(
        () => true,
        () => false,
      );
      if (isUp) return;
      if (!this.#isRunning || performance.now() > until) {
        const console = await this.console().catch(() => "");
        await this[Symbol.asyncDispose]();
        throw new Error(`the guest did not boot: ${said}${console}`);
      }
      await delay(LOOK_MS);
    }
  }

  #sshOptions(user: GuestUser): readonly string[] {
    // Later commands use the same connection: a login takes a second in the guest.
    const options = {
      UserKnownHostsFile: this.knownHosts,
      StrictHostKeyChecking: "yes",
      LogLevel: "ERROR",
      BatchMode: "yes",
      ConnectTimeout: "5",
      ControlMaster: "auto",
      ControlPath: join(this.#directory, `ssh-${user}`),
      ControlPersist: "60",
    };
    const chosen = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    return ["-F", "none", "-i", this.keyFile, "-p", String(this.sshPort), ...chosen];
  }
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

async function isOnPath(command: string): Promise<boolean> {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  const found = directories.map((directory) => access(join(directory, command), constants.X_OK));
  return await Promise.any(found).then(
    () => true,
    () => false,
  );
}
