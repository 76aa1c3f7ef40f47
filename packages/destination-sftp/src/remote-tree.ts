import { posix } from "node:path";

import { assertObjectKey, type ObjectKey, StoreError } from "@ovault/contract";

import type { RemoteRoot } from "./remote-root.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import { SftpStatusError } from "./sftp-status.ts";

export interface TreeOptions {
  /** The server lets a directory be opened and made durable. */
  readonly syncsDirectories: boolean;
}

/**
 * The directories below the root, and the way from a key to a path in them. No path leads out: keys are checked, and a
 * symbolic link in place of a directory is refused. @throws what the server said unless noted.
 */
export class RemoteTree {
  readonly root: RemoteRoot;
  readonly #options: TreeOptions;
  /** Known to be directories, not links. */
  readonly #real = new Set<string>();
  /** Known to have a name that survives a power cut. Few: one for each folder of a repository. */
  readonly #durable = new Set<string>();

  constructor(root: RemoteRoot, options: TreeOptions) {
    this.root = root;
    this.#options = options;
  }

  /** The path of a key, in a directory that is no link. */
  async locate(connection: SftpConnection, key: ObjectKey): Promise<string> {
    const path = this.#path(key);
    await this.assertReal(connection, posix.dirname(path));
    return path;
  }

  /** The same for writing: makes what is missing, durably. */
  async prepare(connection: SftpConnection, key: ObjectKey): Promise<string> {
    const path = this.#path(key);
    await this.prepareDirectory(connection, posix.dirname(path));
    return path;
  }

  async prepareDirectory(connection: SftpConnection, directory: string): Promise<void> {
    if (this.#durable.has(directory)) return;
    if (directory === this.root.path) return await this.root.assertPresent(connection);
    const parent = posix.dirname(directory);
    await this.prepareDirectory(connection, parent);
    await makeDirectory(connection, directory);
    await this.assertReal(connection, directory);
    if (!this.#real.has(directory)) throw inTheWay(directory);
    // Also when somebody else has just made it and not come to this yet.
    await this.sync(connection, parent);
    this.#durable.add(directory);
  }

  /** @throws StoreError for a link on the way to a directory below the root. That it may be a file shows when it is read. */
  async assertReal(connection: SftpConnection, directory: string): Promise<void> {
    if (directory === this.root.path || this.#real.has(directory)) return;
    await this.assertReal(connection, posix.dirname(directory));
    const { kind } = await connection.stat(directory);
    if (kind === "directory") this.#real.add(directory);
    if (kind !== "other") return;
    throw new StoreError(`${directory} is a symbolic link; objects are only kept in real directories`, {
      context: { directory },
      hint: "Replace it by a directory, or by a bind mount of the whole destination.",
    });
  }

  /** Makes the names in a directory durable, where the server can. */
  async sync(connection: SftpConnection, directory: string): Promise<void> {
    if (this.#options.syncsDirectories) await syncDirectory(connection, directory);
  }

  /** To be called when a directory has vanished: what was known about all of them may be wrong. */
  forget(): void {
    this.#real.clear();
    this.#durable.clear();
  }

  #path(key: ObjectKey): string {
    assertObjectKey(key);
    return posix.join(this.root.path, key);
  }
}

function inTheWay(directory: string): StoreError {
  return new StoreError(`${directory} is in the way: it is not a directory`, { context: { directory } });
}

/** OpenSSH on Linux and BSD can; there is nothing in SFTP that promises it. */
export async function syncDirectory(connection: SftpConnection, directory: string): Promise<void> {
  const handle = await connection.open(directory, "r");
  try {
    await connection.sync(handle);
  } finally {
    connection.closeUnheeded(handle);
  }
}

/** One that is there already is left as it is. */
export async function makeDirectory(connection: SftpConnection, directory: string): Promise<void> {
  try {
    await connection.makeDirectory(directory);
  } catch (error) {
    // Servers say no more than "failure" when there is something, and also when the disk is full.
    if (!(error instanceof SftpStatusError) || !(await isThere(connection, directory))) throw error;
  }
}

async function isThere(connection: SftpConnection, path: string): Promise<boolean> {
  return await connection.stat(path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof SftpStatusError) return false;
      throw error;
    },
  );
}
