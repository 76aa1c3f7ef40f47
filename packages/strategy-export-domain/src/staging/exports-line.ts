import type { Owner } from "@ovault/storage-domain";

/** The user and group of VDSM on every host: vdsm:kvm. */
export const VDSM: Owner = { uid: 36, gid: 36 };

/** An export of the kernel's NFS server. */
export interface NfsExport {
  readonly folder: string;
  /** Addresses or networks of the hosts. */
  readonly clients: readonly string[];
  /** Tells exports apart that lie in one file system. */
  readonly fsid?: number | undefined;
  /** Whom every host acts as. Default: VDSM where ovault runs as root, else ovault's own user. */
  readonly owner?: Owner | undefined;
}

/** A line for `/etc/exports`. Hosts act as one user there, who owns the folder. */
export function exportsLine({ folder, clients, fsid, owner = ownUser() }: NfsExport): string {
  const options = [
    ...(fsid === undefined ? [] : [`fsid=${fsid}`]),
    "rw",
    "sync",
    "insecure",
    "all_squash",
    `anonuid=${owner.uid}`,
    `anongid=${owner.gid}`,
  ].join(",");
  const path = /[\s"#\\]/.test(folder) ? `"${folder.replaceAll(/["\\]/g, octal)}"` : folder;
  return `${path} ${clients.map((client) => `${client}(${options})`).join(" ")}`;
}

/** Root can read what VDSM owns. */
export function ownUser(): Owner {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 ? VDSM : { uid, gid: process.getgid?.() ?? 0 };
}

function octal(character: string): string {
  return `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`;
}
