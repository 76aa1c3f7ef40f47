import { NbdProtocolError } from "./errors.ts";

/** @throws NbdProtocolError for a number above the safe integers: no disk is that large */
export function readUint64(buffer: Buffer, offset: number): number {
  const value = buffer.readUInt32BE(offset) * 2 ** 32 + buffer.readUInt32BE(offset + 4);
  if (!Number.isSafeInteger(value)) throw new NbdProtocolError(`absurd 64-bit number ${value} received`);
  return value;
}

export function writeUint64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32BE(Math.floor(value / 2 ** 32), offset);
  buffer.writeUInt32BE(value % 2 ** 32, offset + 4);
}
