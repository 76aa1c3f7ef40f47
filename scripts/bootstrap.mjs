// Installs what the workspace needs. Plain JavaScript, so that Node 20 can run it; everything after it runs under the
// Node that it installs into node_modules.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const bin = join(root, "node_modules", ".bin");

/** The release that wrote pnpm-lock.yaml. */
const PNPM = "pnpm@10.34.8";

/** Commands that the lab and the demo call, and the Debian package of each. */
const DEMO_COMMANDS = {
  "qemu-img": "qemu-utils",
  "qemu-nbd": "qemu-utils",
  "qemu-storage-daemon": "qemu-system-common",
  fusermount3: "fuse3",
  nbdinfo: "libnbd-bin",
  nbdcopy: "libnbd-bin",
  mke2fs: "e2fsprogs",
  openssl: "openssl",
};

/**
 * Further commands of the tests: the servers behind the destinations, LVM, whose settings the tests read, and shells
 * that users of a server may have.
 */
const TEST_COMMANDS = {
  ...DEMO_COMMANDS,
  ceph: "ceph-common",
  "ceph-mon": "ceph-mon",
  "ceph-osd": "ceph-osd",
  csh: "tcsh",
  fish: "fish",
  ip: "iproute2",
  lvmconfig: "lvm2",
  monmaptool: "ceph-base",
  nc: "netcat-openbsd",
  "mkfs.xfs": "xfsprogs",
  "nfs-ls": "libnfs-utils",
  python3: "python3",
  radosgw: "radosgw",
  socat: "socat",
  ssh: "openssh-client",
  sshd: "openssh-server",
  "ssh-agent": "openssh-client",
};

/** Further commands of the benchmarks. */
const BENCH_COMMANDS = { ...TEST_COMMANDS, time: "time" };

/** What builds and runs the Linux guest of some tests, as root; they are skipped where it cannot be installed. */
const GUEST_COMMANDS = { mmdebstrap: "mmdebstrap", "qemu-system-x86_64": "qemu-system-x86" };

/** QEMU's NFS client, which has no command of its own; its tests are skipped where it cannot be installed. */
const QEMU_DRIVERS = "qemu-block-extra";

/** Peers that benchmarks compare with; they skip those that cannot be installed. */
const PEER_COMMANDS = { borg: "borgbackup", restic: "restic" };

const COMMANDS = { pack: {}, demo: DEMO_COMMANDS, test: TEST_COMMANDS, bench: BENCH_COMMANDS };

/**
 * Prepares the workspace for packing, the demo, the tests or the benchmarks. Does nothing when it is ready; exits when
 * it cannot.
 * @param {"pack" | "demo" | "test" | "bench"} purpose
 */
export function bootstrap(purpose) {
  installPackages();
  installSystemCommands(COMMANDS[purpose]);
  if (purpose === "test") installIfPossible(GUEST_COMMANDS, "TESTS IN A LINUX GUEST WILL BE SKIPPED");
  if (purpose === "test" && !isInstalled(QEMU_DRIVERS) && !(canInstall() && install([QEMU_DRIVERS]))) {
    process.stderr.write(`bootstrap: TESTS WITH QEMU'S NFS CLIENT MAY BE SKIPPED: cannot install ${QEMU_DRIVERS}\n`);
  }
  if (purpose === "bench") installIfPossible(PEER_COMMANDS, "NOT EVERY PEER WILL BE COMPARED WITH");
}

/** The environment in which the workspace's own Node and tools come first. */
export function workspaceEnvironment() {
  return { ...process.env, PATH: [bin, process.env.PATH, "/usr/sbin", "/sbin"].join(delimiter) };
}

function installPackages() {
  // pnpm keeps a copy of the lock file that node_modules was made from.
  const installed = join(root, "node_modules", ".pnpm", "lock.yaml");
  const wanted = join(root, "pnpm-lock.yaml");
  const complete = existsSync(join(bin, "ovault")) && existsSync(join(bin, "node"));
  if (complete && existsSync(installed) && readFileSync(installed).equals(readFileSync(wanted))) return;
  run("npx", ["--yes", PNPM, "install", "--frozen-lockfile", "--loglevel=error"]);
}

function installSystemCommands(commands) {
  const missing = missingOf(commands);
  if (missing.length === 0) return;
  const packages = packagesOf(commands, missing);
  if (!canInstall()) {
    fail(
      `these commands are missing: ${missing.join(", ")}`,
      isOnPath("apt-get")
        ? `Run as root: apt-get ${installing(packages).join(" ")}`
        : `Install what your system calls these Debian packages: ${packages.join(", ")}`,
    );
  }
  if (!install(packages)) fail(`${packages.join(", ")} cannot be installed`, "See the output of apt-get above.");
}

function installIfPossible(commands, otherwise) {
  for (const command of missingOf(commands)) {
    if (canInstall() && install(packagesOf(commands, [command]))) continue;
    process.stderr.write(`bootstrap: ${otherwise}: ${command} cannot be installed here\n`);
  }
}

/** Installs at once if the machine has package lists; if they are missing or old, updates them first. */
function install(packages) {
  return aptGet(installing(packages)) || (aptGet(["update"]) && aptGet(installing(packages)));
}

function missingOf(commands) {
  return Object.keys(commands).filter((command) => !isOnPath(command));
}

function packagesOf(commands, chosen) {
  return [...new Set(chosen.map((command) => commands[command]))];
}

function canInstall() {
  return process.getuid?.() === 0 && isOnPath("apt-get");
}

function installing(packages) {
  return ["install", "--yes", "--no-install-recommends", ...packages];
}

function aptGet(args) {
  process.stdout.write(`> apt-get ${args.join(" ")}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", args, { stdio: "inherit", env }).status === 0;
}

function isInstalled(name) {
  const { stdout } = spawnSync("dpkg-query", ["--show", "--showformat=${Status}", name], { encoding: "utf8" });
  return stdout?.endsWith(" installed") === true;
}

function isOnPath(command) {
  return workspaceEnvironment()
    .PATH.split(delimiter)
    .some((directory) => {
      try {
        accessSync(join(directory, command), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function run(command, args) {
  process.stdout.write(`> ${[command, ...args].join(" ")}\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) fail(`${command} failed${error ? `: ${error.message}` : ""}`, "See its output above.");
}

function fail(message, hint) {
  process.stderr.write(`bootstrap: ${message}\n  hint: ${hint}\n`);
  process.exit(1);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) bootstrap("test");
