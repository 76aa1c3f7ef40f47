const AREA_BYTES = 1024 * 1024;
const SECTOR_BYTES = 512;
const RECORD_BYTES = 168;
const LEADER_MAGIC = 0x06152010;
const LEADER_VERSION = 0x00060004;
const REQUEST_MAGIC = 0x08292011;
const REQUEST_VERSION = 0x00010001;
/** Areas of 1 MiB. */
const ALIGNMENT_FLAG = 0x10;
const MOST_HOSTS = 2000;
const NAME_BYTES = 48;
/** Reflected polynomial of CRC-32C. */
const POLYNOMIAL = 0x82f63b78;

/**
 * The `.lease` of a volume: a free sanlock resource of 1 MiB, as `sanlock direct init -r DOMAIN:VOLUME:FILE:0` writes it
 * (compared byte for byte with sanlock 3.8.5). Hosts take it to move or to merge the volume.
 */
export function volumeLease(domainId: string, volumeId: string): Uint8Array {
  const area = Buffer.alloc(AREA_BYTES);
  area.writeUInt32LE(LEADER_MAGIC, 0);
  area.writeUInt32LE(LEADER_VERSION, 4);
  area.writeUInt32LE(ALIGNMENT_FLAG, 8);
  area.writeUInt32LE(SECTOR_BYTES, 12);
  area.writeBigUInt64LE(BigInt(MOST_HOSTS), 16);
  area.writeBigUInt64LE(BigInt(MOST_HOSTS), 24);
  area.write(domainId, 56, NAME_BYTES, "latin1");
  area.write(volumeId, 104, NAME_BYTES, "latin1");
  area.writeUInt32LE(sanlockChecksum(area.subarray(0, RECORD_BYTES)), RECORD_BYTES);
  area.writeUInt32LE(REQUEST_MAGIC, SECTOR_BYTES);
  area.writeUInt32LE(REQUEST_VERSION, SECTOR_BYTES + 4);
  return area;
}

/** CRC-32C with sanlock's own initial value, not inverted at the end. Short records: bit by bit is quick enough. */
function sanlockChecksum(bytes: Uint8Array): number {
  let crc = 0xfffffffe;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  }
  return crc >>> 0;
}
