import { randomUUID } from "node:crypto";
import { lstat, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { syncDirectory, systemErrorCode } from "@ovault/contract";

import { ImageFileExistsError, imageFileError } from "./errors.ts";
import { WriteBack } from "./write-back.ts";

const DRAFT_END = /^\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.partial$/;

/**
 * Paths of the drafts of a file that are there now: of writers that are at work, or were killed. Empty where the
 * directory cannot be listed.
 */
export async function draftsOf(path: string): Promise<readonly string[]> {
  const [directory, name] = [dirname(path), basename(path)];
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((one) => one.startsWith(name) && DRAFT_END.test(one.slice(name.length)))
    .toSorted()
    .map((one) => join(directory, one));
}

/** A new file, readable by its owner alone, with a temporary name until it is published. */
export class DraftFile {
  readonly path: string;
  readonly #draftPath: string;
  readonly #handle: FileHandle;
  readonly #writeBack: WriteBack;

  /** @throws ImageFileExistsError, ImageFileError */
  static async create(path: string): Promise<DraftFile> {
    const draftPath = `${path}.${randomUUID()}.partial`;
    try {
      await refuseExisting(path);
      return new DraftFile(path, draftPath, await open(draftPath, "wx", 0o600));
    } catch (error) {
      throw imageFileError(error, path);
    }
  }

  private constructor(path: string, draftPath: string, handle: FileHandle) {
    this.path = path;
    this.#draftPath = draftPath;
    this.#handle = handle;
    this.#writeBack = new WriteBack(() => handle.datasync());
  }

  /** Writes all of the data, or throws. */
  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    for (let done = 0; done < data.length;) {
      signal.throwIfAborted();
      const { bytesWritten } = await this.#guard(this.#handle.write(data, done, data.length - done, offset + done));
      done += bytesWritten;
    }
    await this.#guard(this.#writeBack.note(data.length));
  }

  /** The range between the last write and the new end reads as zeros and takes no space. */
  resize(bytes: number): Promise<void> {
    return this.#guard(this.#handle.truncate(bytes));
  }

  async sync(): Promise<void> {
    await this.#guard(this.#writeBack.settle());
    await this.#guard(this.#handle.datasync());
  }

  /** Durable under its real name when this resolves. */
  async publish(): Promise<void> {
    await this.#guard(this.#writeBack.settle());
    await this.#guard(this.#handle.sync());
    await this.#guard(this.#handle.close());
    await this.#guard(refuseExisting(this.path));
    await this.#guard(rename(this.#draftPath, this.path));
    await this.#guard(syncDirectory(dirname(this.path)));
  }

  /** Never rejects: a file that cannot be removed is recognizable as a draft by its name. */
  async discard(): Promise<void> {
    await this.#writeBack.settle().catch(() => {});
    await this.#handle.close().catch(() => {});
    await rm(this.#draftPath, { force: true }).catch(() => {});
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw imageFileError(error, this.path);
    }
  }
}

async function refuseExisting(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return;
    throw error;
  }
  throw new ImageFileExistsError(`${path} exists already`, { hint: "Remove it, or choose another path." });
}
