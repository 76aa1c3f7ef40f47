/** Sizes of areas with alignment 1 MiB and sectors of 512 bytes, as on NFS. */
export const AREA_BYTES = 1024 * 1024;
export const SECTOR_BYTES = 512;

/** Most hosts of a lockspace with these sizes. */
const HOSTS = 2000;
const IO_TIMEOUT_SECONDS = 10;
const ALIGNED_TO_1_MIB = 0x10;
const [LOCKSPACE_MAGIC, LOCKSPACE_VERSION] = [0x12_21_20_10, 0x00_03_00_04];
const [RESOURCE_MAGIC, RESOURCE_VERSION] = [0x06_15_20_10, 0x00_06_00_04];
const [REQUEST_MAGIC, REQUEST_VERSION] = [0x08_29_20_11, 0x00_01_00_01];
const CHECKSUM_AT = 168;

/** Who holds the slot of a host in a lockspace. */
export interface SlotOwner {
  /** Number of the slot, from 1. */
  readonly hostId: number;
  readonly hostName: string;
  /** Monotonic, in seconds; 0: released. */
  readonly timestamp: number;
}

/** A new lockspace, as `sanlock direct init -s` writes it to `dom_md/ids`: the same free slot for each host. */
export function newLockspace(domainId: string): Buffer {
  const area = Buffer.alloc(AREA_BYTES);
  const free = lockspaceSlot(domainId);
  for (let slot = 0; slot < HOSTS; slot++) free.copy(area, slot * SECTOR_BYTES);
  return area;
}

/** One sector of a lockspace: free, or a host's. */
export function lockspaceSlot(domainId: string, owner?: SlotOwner): Buffer {
  return leader({
    magic: LOCKSPACE_MAGIC,
    version: LOCKSPACE_VERSION,
    hosts: [0, 1],
    space: domainId,
    resource: owner?.hostName ?? "",
    owner,
  });
}

/** Whether a sector is a sound slot of this lockspace, as a host checks before it joins. */
export function isLockspaceSlot(sector: Buffer, domainId: string): boolean {
  if (sector.length < SECTOR_BYTES || sector.readUInt32LE(0) !== LOCKSPACE_MAGIC) return false;
  const space = sector.toString("latin1", 56, 104).replace(/\0+$/, "");
  return space === domainId && sector.readUInt32LE(CHECKSUM_AT) === checksumOf(sector);
}

/** A new resource, as `sanlock direct init -r` writes it: a lease that no host holds. */
export function newResource(domainId: string, name: string): Buffer {
  const area = Buffer.alloc(AREA_BYTES);
  const parts = { magic: RESOURCE_MAGIC, version: RESOURCE_VERSION, hosts: [HOSTS, HOSTS] } as const;
  leader({ ...parts, space: domainId, resource: name }).copy(area);
  area.writeUInt32LE(REQUEST_MAGIC, SECTOR_BYTES);
  area.writeUInt32LE(REQUEST_VERSION, SECTOR_BYTES + 4);
  return area;
}

interface Leader {
  readonly magic: number;
  readonly version: number;
  /** Of `num_hosts` and `max_hosts`. */
  readonly hosts: readonly [number, number];
  readonly space: string;
  readonly resource: string;
  readonly owner?: SlotOwner | undefined;
}

/** `struct leader_record` of sanlock, little-endian. */
function leader({ magic, version, hosts, space, resource, owner }: Leader): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  for (const [index, value] of [magic, version, ALIGNED_TO_1_MIB, SECTOR_BYTES].entries()) {
    sector.writeUInt32LE(value, index * 4);
  }
  for (const [index, value] of hosts.entries()) sector.writeBigUInt64LE(BigInt(value), 16 + index * 8);
  if (owner !== undefined) {
    for (const at of [32, 40]) sector.writeBigUInt64LE(BigInt(at === 32 ? owner.hostId : 1), at);
    sector.writeBigUInt64LE(BigInt(owner.timestamp), 152);
  }
  sector.write(space, 56, 48, "latin1");
  sector.write(resource, 104, 48, "latin1");
  sector.writeUInt16LE(IO_TIMEOUT_SECONDS, 174);
  sector.writeUInt32LE(checksumOf(sector), CHECKSUM_AT);
  return sector;
}

/** CRC-32C of what comes before the checksum, with sanlock's start value and without a final inversion. */
function checksumOf(sector: Buffer): number {
  let sum = 0xff_ff_ff_fe;
  for (const byte of sector.subarray(0, CHECKSUM_AT)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82_f6_3b_78 : 0);
  }
  return sum >>> 0;
}
