import { crc32 } from "node:zlib";

import { IntegrityError } from "@ovault/contract";

import { type OverlayFile, readUpTo, writeFully } from "./overlay-file.ts";

/** Header of a journal; its records follow. */
export const JOURNAL_HEADER_BYTES = 4096;
const MAGIC = Buffer.from("OVOVERL1", "latin1");
/** Magic, size of the disk (u64), length of the name (u32), name in UTF-8; the CRC-32 of all before it at this place. */
const SUM_AT = 3068;
const NAME_AT = 20;
const MOST_NAME_BYTES = SUM_AT - NAME_AT;
/** Two places for an end of the journal (u64) and the CRC-32 of it (u32), written in turn. In sectors of their own. */
const SLOTS_AT = [3072, 3584] as const;
const SLOT_BYTES = 12;

/** What an overlay lies over. */
export interface OverlaidDisk {
  /** Names the disk of the point for ever: an overlay over another one would be a mixture. At most 3,000 bytes. */
  readonly name: string;
  readonly logicalBytes: number;
}

export async function writeHeader(file: OverlayFile, { name, logicalBytes }: OverlaidDisk): Promise<void> {
  const header = Buffer.alloc(JOURNAL_HEADER_BYTES);
  const nameBytes = Buffer.from(name, "utf8");
  if (nameBytes.length > MOST_NAME_BYTES) throw new RangeError(`the name of an overlaid disk is too long: ${name}`);
  MAGIC.copy(header);
  header.writeBigUInt64LE(BigInt(logicalBytes), 8);
  header.writeUInt32LE(nameBytes.length, 16);
  nameBytes.copy(header, NAME_AT);
  header.writeUInt32LE(crc32(header.subarray(0, SUM_AT)), SUM_AT);
  await writeFully(file, 0, header);
}

/** Answers what the journal is of, and where it ended at some earlier time. @throws IntegrityError */
export async function readHeader(
  file: OverlayFile,
  path: string,
): Promise<OverlaidDisk & { readonly committedBytes: number }> {
  const header = Buffer.alloc(JOURNAL_HEADER_BYTES);
  const read = await readUpTo(file, 0, header);
  const nameBytes = header.readUInt32LE(16);
  const intact =
    read === header.length &&
    header.subarray(0, MAGIC.length).equals(MAGIC) &&
    nameBytes <= MOST_NAME_BYTES &&
    crc32(header.subarray(0, SUM_AT)) === header.readUInt32LE(SUM_AT);
  if (!intact) throw new IntegrityError(`${path} is no intact journal of an overlay`, { context: { path } });
  const ends = SLOTS_AT.map((at) => endIn(header.subarray(at, at + SLOT_BYTES)));
  return {
    name: header.toString("utf8", NAME_AT, NAME_AT + nameBytes),
    logicalBytes: Number(header.readBigUInt64LE(8)),
    committedBytes: Math.max(JOURNAL_HEADER_BYTES, ...ends),
  };
}

/** Notes an end of the journal that is durable. The note itself need not become durable soon: it is a lower bound. */
export async function noteEnd(file: OverlayFile, end: number, turn: number): Promise<void> {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeBigUInt64LE(BigInt(end), 0);
  slot.writeUInt32LE(crc32(slot.subarray(0, 8)), 8);
  await writeFully(file, SLOTS_AT[turn % 2] ?? SLOTS_AT[0], slot);
}

function endIn(slot: Buffer): number {
  return crc32(slot.subarray(0, 8)) === slot.readUInt32LE(8) ? Number(slot.readBigUInt64LE(0)) : 0;
}
