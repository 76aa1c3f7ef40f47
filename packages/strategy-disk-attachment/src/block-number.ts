/** Splits a device number like the C library: its two parts are spread over 64 bits. */
export function blockNumber(device: bigint): string {
  const major = ((device >> 32n) & 0xffff_f000n) | ((device >> 8n) & 0xfffn);
  const minor = ((device >> 12n) & 0xffff_ff00n) | (device & 0xffn);
  return `${major}:${minor}`;
}
