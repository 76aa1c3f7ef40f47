import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { access, chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const cache = fileURLToPath(new URL("../../../../node_modules/.cache/ovault-guest", import.meta.url));
const files = fileURLToPath(new URL("files", import.meta.url));

/** Debian packages of the guest: the tools of a hypervisor, and clients for what it mounts. */
const PACKAGES = [
  "linux-image-cloud-amd64",
  "busybox-static",
  "udev",
  "kmod",
  "procps",
  "iproute2",
  "openssh-server",
  "sudo",
  "csh",
  "lvm2",
  "qemu-utils",
  "libnbd-bin",
  "nfs-common",
  // `mount -o proto=tcp` looks the protocol up in /etc/protocols.
  "netbase",
  "netcat-openbsd",
  "xfsprogs",
];
/** What the kernel needs before it has the root file system. */
const BOOT_MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "ext4"];
const ROOT_BYTES = "2G";
const LOOK_MS = 500;

/** A Linux to start with QEMU. Read-only: guests write into overlays. */
export interface GuestImage {
  /** ext4 on a raw disk without partitions. */
  readonly root: string;
  readonly kernel: string;
  readonly initrd: string;
  /** Private key for `root` and `ovault` of the guest. */
  readonly key: string;
  /** Type and key of the guest's sshd, as in known_hosts. */
  readonly hostKey: string;
}

/** The image, built from Debian's packages unless the cache has one of this recipe. Needs root and a mirror. */
export async function guestImage(): Promise<GuestImage> {
  const digest = await recipeDigest();
  const directory = join(cache, digest);
  while (!(await exists(directory))) await buildAlone(digest, directory);
  const hostKey = await readFile(join(directory, "host-key.pub"), "utf8");
  return {
    root: join(directory, "root.raw"),
    kernel: join(directory, "vmlinuz"),
    initrd: join(directory, "initrd"),
    key: join(directory, "id_ed25519"),
    hostKey: hostKey.split(" ").slice(0, 2).join(" ").trim(),
  };
}

async function recipeDigest(): Promise<string> {
  const digest = createHash("sha256");
  for (const name of await readdir(files)) digest.update(await readFile(join(files, name)));
  digest.update(await readFile(fileURLToPath(import.meta.url)));
  return digest.digest("hex").slice(0, 16);
}

/** Test files run side by side, and one builds: it has the name of this socket, which the kernel frees with the process. */
async function buildAlone(digest: string, directory: string): Promise<void> {
  const lock = createServer().listen(`\0ovault-guest-${digest}`);
  const isBuilder = await once(lock, "listening").then(
    () => true,
    () => false,
  );
  if (!isBuilder) {
    await delay(LOOK_MS);
    return;
  }
  try {
    if (!(await exists(directory))) await build(directory);
  } finally {
    lock.close();
  }
}

async function build(directory: string): Promise<void> {
  // Images of older recipes, and drafts of killed builds.
  await rm(dirname(directory), { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true });
  const draft = await mkdtemp(`${directory}.`);
  try {
    const root = join(draft, "root");
    for (const name of ["id_ed25519", "host-key"]) {
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "ovault-tests", "-f", join(draft, name)]);
    }
    await run("mmdebstrap", [
      "--mode=root",
      "--variant=minbase",
      "--aptopt=APT::Install-Recommends false",
      // Documentation is of no use, and takes time to copy.
      "--dpkgopt=path-exclude=/usr/share/doc/*",
      "--dpkgopt=path-exclude=/usr/share/man/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
      `--include=${PACKAGES.join(",")}`,
      "bookworm",
      root,
    ]);
    await prepareRoot(draft, root);
    await makeInitrd(draft, root);
    await run("mke2fs", ["-q", "-t", "ext4", "-O", "^has_journal", "-d", root, join(draft, "root.raw"), ROOT_BYTES]);
    await rm(root, { recursive: true });
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function prepareRoot(draft: string, root: string): Promise<void> {
  // As on a hypervisor: vdsm and its groups, which own what virtual machines use; and a user for backups.
  await run("chroot", [root, "groupmod", "--gid", "36", "kvm"]);
  await run("chroot", [root, "groupadd", "--gid", "107", "qemu"]);
  await run("chroot", [root, "useradd", "--uid=36", "--gid=kvm", "--groups=qemu", "--shell=/usr/sbin/nologin", "vdsm"]);
  await run("chroot", [root, "useradd", "--create-home", "--groups=kvm,qemu", "--shell=/bin/sh", "ovault"]);
  // Without a password the account is locked, and sshd refuses it.
  await run("chroot", [root, "usermod", "--password", "*", "ovault"]);
  for (const [home, owner] of [
    ["root", "root"],
    ["home/ovault", "ovault"],
  ] as const) {
    const directory = join(root, home, ".ssh");
    await mkdir(directory, { mode: 0o700 });
    await cp(join(draft, "id_ed25519.pub"), join(directory, "authorized_keys"));
    await run("chroot", [root, "chown", "-R", owner, `/${home}/.ssh`]);
  }
  await cp(join(draft, "host-key"), join(root, "etc/ssh/ssh_host_ed25519_key"));
  await cp(join(draft, "host-key.pub"), join(root, "etc/ssh/ssh_host_ed25519_key.pub"));
  await chmod(join(root, "etc/ssh/ssh_host_ed25519_key"), 0o600);
  await cp(join(files, "init"), join(root, "ovault-init"));
  await chmod(join(root, "ovault-init"), 0o755);
  await cp(join(files, "57-vdsm-lvm.rules"), join(root, "etc/udev/rules.d/57-vdsm-lvm.rules"));
  await writeFile(join(root, "etc/hosts"), "127.0.0.1 localhost\n10.0.2.15 hypervisor\n10.0.2.2 outside\n");
  await writeFile(join(root, "etc/hostname"), "hypervisor\n");
}

/** Busybox and the modules that bring the root file system. */
async function makeInitrd(draft: string, root: string): Promise<void> {
  const tree = join(draft, "initrd-tree");
  const busybox = join(root, "bin/busybox");
  await mkdir(join(tree, "modules"), { recursive: true });
  for (const name of ["bin", "dev", "proc", "sys", "new"]) await mkdir(join(tree, name));
  await cp(busybox, join(tree, "bin/busybox"));
  await cp(join(files, "initrd-init"), join(tree, "init"));
  await chmod(join(tree, "init"), 0o755);
  const [version = ""] = await readdir(join(root, "lib/modules"));
  const order = await modulesInOrder(root, version);
  for (const module of order) await cp(module, join(tree, "modules", basename(module)));
  await writeFile(join(tree, "modules/order"), order.map((module) => `${basename(module)}\n`).join(""));
  const pack = 'cd "$1" && find . | "$2" cpio -o -H newc 2>/dev/null | gzip -1 > "$3"';
  await run("sh", ["-c", pack, "sh", tree, busybox, join(draft, "initrd")]);
  await rm(tree, { recursive: true });
  await cp(join(root, "boot", `vmlinuz-${version}`), join(draft, "vmlinuz"));
  await rm(join(root, "boot"), { recursive: true });
}

/** Files of the modules, each after those that it needs. */
async function modulesInOrder(root: string, version: string): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const name of BOOT_MODULES) {
    const { stdout } = await run("chroot", [root, "modprobe", "-S", version, "--show-depends", name]);
    for (const line of stdout.split("\n")) {
      const [how, path = ""] = line.split(" ");
      if (how === "insmod") found.add(join(root, path));
    }
  }
  return [...found];
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
