const BLOCK_BYTES = 512;
const CHECKSUM_AT = 148;

/** An uncompressed ustar archive of texts, by name. */
export function writeTar(texts: ReadonlyMap<string, string>): Buffer {
  const parts = [...texts].flatMap(([name, text]) => {
    const content = Buffer.from(text);
    return [headerOf(name, content.length), content, Buffer.alloc(padded(content.length) - content.length)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

/** Texts of the plain files of an archive, by name; ends at the first block that is no header. */
export function readTar(archive: Buffer): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (let at = 0; at + BLOCK_BYTES <= archive.length;) {
    const name = textAt(archive, at, 100);
    const bytes = Number.parseInt(textAt(archive, at + 124, 12), 8);
    if (name === "" || !Number.isInteger(bytes)) break;
    at += BLOCK_BYTES;
    texts.set(name, archive.toString("utf8", at, at + bytes));
    at += padded(bytes);
  }
  return texts;
}

function headerOf(name: string, bytes: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, digits: number): void => {
    header.write(`${value.toString(8).padStart(digits, "0")}\0`, at, "latin1");
  };
  header.write(name, 0, 100, "utf8");
  octal(0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(bytes, 124, 11);
  octal(Math.floor(Date.now() / 1000), 136, 11);
  header.write(" ".repeat(8), CHECKSUM_AT, "latin1");
  header.write("0", 156, "latin1");
  header.write("ustar\0", 257, "latin1");
  header.write("00", 263, "latin1");
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    CHECKSUM_AT,
    6,
  );
  return header;
}

function textAt(bytes: Buffer, at: number, length: number): string {
  return bytes.toString("utf8", at, at + length).replace(/\0.*$/s, "");
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
