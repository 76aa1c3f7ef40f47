import { rm } from "node:fs/promises";

import { IntegrityError, UsageError } from "@ovault/contract";
import { type FileAttributes, type FileId, LocalFileSystem, NfsStatusError } from "@ovault/nfs";

import type { SharedDiskDescription } from "./share-description.ts";
import type { ShareDirectory } from "./share-directory.ts";
import { idOf, type VolumeEntry, VolumeTable, writtenId } from "./volume-table.ts";

/** vdsm, on every host. */
const OWNER = { uid: 36, gid: 36 };
const MODE = 0o660;
const DIRECTORY_MODE = 0o755;

/** The tree of a share, and where the files in it are that stand for disks. */
export class VolumeTree implements AsyncDisposable {
  readonly files: LocalFileSystem;
  readonly table: VolumeTable;
  /** What hosts mount. */
  readonly stage: FileId;
  readonly #placing: FileId;
  readonly #directory: ShareDirectory;

  /** @throws IntegrityError for a damaged table or a copied tree */
  static async open(directory: ShareDirectory): Promise<VolumeTree> {
    const files = await LocalFileSystem.open(directory.tree, { owner: OWNER });
    try {
      const root = await files.root();
      const table = await VolumeTable.open(directory.table, root);
      const [stage, placing] = [await files.lookup(root, "stage"), await files.lookup(root, "placing")];
      const tree = new VolumeTree(directory, files, table, { stage: stage.id, placing: placing.id });
      await tree.#clear();
      return tree;
    } catch (error) {
      await files[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    directory: ShareDirectory,
    files: LocalFileSystem,
    table: VolumeTable,
    { stage, placing }: { readonly stage: FileId; readonly placing: FileId },
  ) {
    this.#directory = directory;
    this.files = files;
    this.table = table;
    this.stage = stage;
    this.#placing = placing;
  }

  /**
   * The entry of a volume whose file is there, in its place or on the way to it; undefined for one that a host has
   * removed, or that was never made.
   * @throws IntegrityError when another file is in its place
   */
  async find(name: string, { path }: SharedDiskDescription): Promise<VolumeEntry | undefined> {
    const entry = this.table.of(name);
    if (entry === undefined || entry.isRemoved) return undefined;
    if (await this.#isThere(entry)) return entry;
    if ((await this.#at(path)) === undefined) return undefined;
    throw new IntegrityError(`${path} is another file than was shared`, {
      context: { path },
      hint: "Was the directory of the share restored from a copy? What was written to the disk cannot be told from it.",
    });
  }

  /** Makes the file of a volume, which hosts do not see yet. */
  async make(name: string, bytes: number, capacityBytes: number): Promise<VolumeEntry> {
    const change = { bytes: BigInt(bytes), mode: MODE };
    const id = await this.files.create(this.#placing, name, { change, isNew: true });
    const entry = { name, id: writtenId(id), capacityBytes, isRemoved: false };
    await this.table.add(entry);
    return entry;
  }

  /** Shows the file to hosts, unless that was done. @throws UsageError when something else has its path */
  async place({ name }: VolumeEntry, { path }: SharedDiskDescription): Promise<void> {
    if ((await this.#lookup(this.#placing, name)) === undefined) return;
    const names = path.split("/");
    const last = names.pop() ?? "";
    let directory = this.stage;
    for (const one of names) {
      const found = await this.#lookup(directory, one);
      directory = found?.id ?? (await this.files.makeDirectory(directory, one, { mode: DIRECTORY_MODE }));
    }
    if ((await this.#lookup(directory, last)) !== undefined) {
      throw new UsageError(`there is something else at ${path} of the share`, { context: { path } });
    }
    await this.files.rename(this.#placing, name, directory, last);
  }

  /** Notes that a host has removed the file. */
  async noteRemoved(name: string): Promise<void> {
    await this.table.noteRemoved(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.files[Symbol.asyncDispose]();
  }

  /** Removes what kills have left: files without an entry, and what was written to volumes that were removed. */
  async #clear(): Promise<void> {
    for (const { name } of await this.files.list(this.#placing)) {
      if (this.table.of(name) === undefined) await this.files.remove(this.#placing, name);
    }
    for (const { name, isRemoved } of this.table.volumes) {
      if (isRemoved) await rm(this.#directory.overlayOf(name), { recursive: true, force: true });
    }
  }

  async #isThere(entry: VolumeEntry): Promise<boolean> {
    try {
      await this.files.attributes(idOf(entry));
      return true;
    } catch (error) {
      if (error instanceof NfsStatusError && error.status === "stale") return false;
      throw error;
    }
  }

  async #at(path: string): Promise<FileAttributes | undefined> {
    let id = this.stage;
    let found: FileAttributes | undefined;
    for (const name of path.split("/")) {
      found = await this.#lookup(id, name);
      if (found === undefined) return undefined;
      id = found.id;
    }
    return found;
  }

  async #lookup(directory: FileId, name: string): Promise<FileAttributes | undefined> {
    return await this.files.lookup(directory, name).catch(undefinedIfMissing);
  }
}

function undefinedIfMissing(error: unknown): undefined {
  const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
  if (!isMissing && !(error instanceof NfsStatusError && error.status === "notFound")) throw error;
}
