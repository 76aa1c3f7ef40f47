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

/** VDSM shows here the images that it has prepared, for machines and for its own work. */
const PREPARED = `
for image; do
  [ -e "/run/vdsm/storage/$image" ] || [ -L "/run/vdsm/storage/$image" ] && echo yes || echo no
done`;

/** The volumes of images that VDSM uses on the host. */
export async function usedByVdsm<T extends BlockVolume>(
  { session }: Hypervisor,
  volumes: readonly T[],
  signal: AbortSignal,
): Promise<readonly T[]> {
  if (volumes.length === 0) return [];
  const images = volumes.map(({ storageDomainId, diskId }) => `${storageDomainId}/${diskId}`);
  const { stdout } = await session.run(PREPARED, images, { signal, deadlineMs: DEADLINE_MS });
  const answers = stdout.split("\n");
  return volumes.filter((_, index) => answers[index] === "yes");
}
