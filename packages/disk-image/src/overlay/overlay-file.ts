/** The calls that overlays make to their files. A FileHandle is one. */
export interface OverlayFile {
  read(into: Uint8Array, at: number, length: number, offset: number): Promise<{ readonly bytesRead: number }>;
  write(from: Uint8Array, at: number, length: number, offset: number): Promise<{ readonly bytesWritten: number }>;
  truncate(bytes: number): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Writes all of it. @throws the operating system's error */
export async function writeFully(file: OverlayFile, offset: number, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.byteLength;) {
    done += (await file.write(data, done, data.byteLength - done, offset + done)).bytesWritten;
  }
}

/** Answers the bytes read: fewer than asked for at the end of the file. */
export async function readUpTo(file: OverlayFile, offset: number, into: Uint8Array): Promise<number> {
  let done = 0;
  while (done < into.byteLength) {
    const { bytesRead } = await file.read(into, done, into.byteLength - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
