/** An NFSv3 export of points, as hosts reach it. NFS and MOUNT answer at one TCP port. */
export interface Share {
  readonly address: string;
  readonly port: number;
  readonly path: string;
}

/**
 * With both ports and both protocols, a mount asks no portmapper. The engine refuses options that hosts set themselves,
 * such as the version (MountConnectionParameters of oVirt engine).
 */
export function mountOptionsOf({ port }: Pick<Share, "port">): string {
  return `port=${port},mountport=${port},proto=tcp,mountproto=tcp`;
}

/** What an administrator tries on a host that does not mount it. */
export function mountCommand(share: Share): string {
  return `mount -t nfs -o vers=3,nolock,${mountOptionsOf(share)} ${share.address}:${share.path} /mnt`;
}
