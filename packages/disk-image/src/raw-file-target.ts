import { DraftFile } from "./draft-file.ts";
import { MAX_WRITES, type ImageFileOptions, type ImageFileTarget } from "./image-file-target.ts";

/**
 * A raw image: byte for byte what the guest sees, exactly `logicalBytes` long, sparse where nothing was written.
 */
export class RawFileTarget implements ImageFileTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly maxWrites = MAX_WRITES;
  readonly #file: DraftFile;

  /** @throws ImageFileExistsError, ImageFileError */
  static async create(options: ImageFileOptions): Promise<RawFileTarget> {
    const file = await DraftFile.create(options.path);
    try {
      await file.resize(options.logicalBytes);
      return new RawFileTarget(file, options);
    } catch (error) {
      await file.discard();
      throw error;
    }
  }

  private constructor(file: DraftFile, options: ImageFileOptions) {
    this.#file = file;
    this.diskId = options.diskId;
    this.logicalBytes = options.logicalBytes;
  }

  get path(): string {
    return this.#file.path;
  }

  write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#file.write(offset, data, signal);
  }

  /** Nothing to do: the file is new, and the restore writes no byte twice. */
  async zero(): Promise<void> {}

  flush(): Promise<void> {
    return this.#file.sync();
  }

  finish(): Promise<void> {
    return this.#file.publish();
  }

  abort(): Promise<void> {
    return this.#file.discard();
  }
}
