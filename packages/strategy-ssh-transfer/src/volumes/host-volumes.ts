import type { Hypervisor } from "../hosts/hypervisor.ts";

/** A logical volume of a storage domain. All ids are UUIDs. */
export interface BlockVolume {
  readonly storageDomainId: string;
  readonly diskId: string;
  readonly volumeId: string;
}

const DEADLINE_MS = 60_000;

/** `GROUP/VOLUME`. VDSM names a volume group after its storage domain. */
export function nameOf({ storageDomainId, volumeId }: BlockVolume): string {
  return `${storageDomainId}/${volumeId}`;
}

/** The device, while the volume is active. */
export function deviceOf(volume: BlockVolume): string {
  return `/dev/${nameOf(volume)}`;
}

const SIZES = `
for device; do
  node=$(readlink -e "$device") && read -r sectors < "/sys/class/block/\${node##*/}/size" || sectors=0
  echo "$sectors"
done`;

/** Sizes of the devices of volumes, in bytes; 0 without a device. The kernel tells them to every user. */
export async function deviceSizes(
  { session }: Hypervisor,
  volumes: readonly BlockVolume[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  const { stdout } = await session.run(SIZES, volumes.map(deviceOf), { signal, deadlineMs: DEADLINE_MS });
  return stdout
    .trim()
    .split("\n")
    .map((sectors) => Number(sectors) * 512);
}

/** VDSM links here the volumes that it has prepared, for machines and for its own work, by image. */
const PREPARED = `
for name; do
  answer=no
  for link in "/run/vdsm/storage/\${name%/*}"/*/"\${name#*/}"; do
    [ ! -L "$link" ] && [ ! -e "$link" ] || answer=yes
  done
  echo "$answer"
done`;

/** Those of the volumes that VDSM uses on the host, in whatever image. */
export async function usedByVdsm<T extends BlockVolume>(
  { session }: Hypervisor,
  volumes: readonly T[],
  signal: AbortSignal,
): Promise<readonly T[]> {
  if (volumes.length === 0) return [];
  const { stdout } = await session.run(PREPARED, volumes.map(nameOf), { signal, deadlineMs: DEADLINE_MS });
  const answers = stdout.split("\n");
  return volumes.filter((_, index) => answers[index] === "yes");
}
