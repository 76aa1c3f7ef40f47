/** Splits a device number as the C library does: its two parts lie scattered over 64 bits. */
export function blockNumber(device: bigint): string {
  const major = ((device >> 32n) & 0xffff_f000n) | ((device >> 8n) & 0xfffn);
  const minor = ((device >> 12n) & 0xffff_ff00n) | (device & 0xffn);
  return `${major}:${minor}`;
}
