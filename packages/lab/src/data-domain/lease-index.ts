const SLOT_BYTES = 1024 * 1024;
const RECORD_BYTES = 64;
const HEADER_BYTES = 512;
/** Records of the leases of machines: 62 blocks of 4 KiB. */
const INDEX_BYTES = 62 * 4096;
const MAGIC = 0x12_15_20_16;

/** `dom_md/xleases` of a domain whose machines have no leases (xlease.py of vdsm): an unused slot, then the index. */
export function newLeaseIndex(domainId: string): Buffer {
  const file = Buffer.alloc(SLOT_BYTES + INDEX_BYTES);
  const header = file.subarray(SLOT_BYTES, SLOT_BYTES + HEADER_BYTES);
  header.writeInt32BE(MAGIC, 0);
  header.write("0001", 5, "ascii");
  header.write(domainId, 10, 48, "ascii");
  header.write(String(Math.floor(Date.now() / 1000)).padStart(10, "0"), 59, "ascii");
  header.write("-", 70, "ascii");
  header.write("\n", HEADER_BYTES - 1, "ascii");
  const record = Buffer.alloc(RECORD_BYTES);
  record.write(`${"0".repeat(11)}\0--\n`, 49, "ascii");
  for (let at = HEADER_BYTES; at + RECORD_BYTES <= INDEX_BYTES; at += RECORD_BYTES) record.copy(file, SLOT_BYTES + at);
  return file;
}
