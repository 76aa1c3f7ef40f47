import { DestinationMissingError } from "@ovault/contract";

import type { SftpConnection } from "./sftp-connection.ts";
import { isAbsence, SftpStatusError } from "./sftp-status.ts";

/** The directory of a destination on its server, with a check that it still is the same. */
export class RemoteRoot {
  /** Absolute, free of symbolic links. */
  readonly path: string;
  /** Id of its file system, if the server reports one; changes with a mount or an unmount. */
  readonly #fileSystem: number | undefined;

  private constructor(path: string, fileSystem: number | undefined) {
    this.path = path;
    this.#fileSystem = fileSystem;
  }

  /** Never makes the directory. @throws DestinationMissingError when it does not exist. */
  static async open(connection: SftpConnection, directory: string): Promise<RemoteRoot> {
    const path = await connection.resolve(directory).catch((error: unknown) => {
      throw isAbsence(error) ? missing(directory, "does not exist", error) : error;
    });
    const [there, fileSystem] = await look(connection, path);
    if (!there) throw missing(directory, "is no directory on the server");
    return new RemoteRoot(path, fileSystem);
  }

  /**
   * Called when a read finds nothing: a disk of the server may have been unmounted and left an empty directory.
   * @throws DestinationMissingError when this is not the directory that was opened.
   */
  async assertPresent(connection: SftpConnection): Promise<void> {
    const [there, fileSystem] = await look(connection, this.path);
    if (there && fileSystem === this.#fileSystem) return;
    throw missing(this.path, "is not the directory any more that it was when this run began");
  }
}

async function look(connection: SftpConnection, path: string): Promise<[boolean, number | undefined]> {
  return await Promise.all([isDirectory(connection, path), fileSystemOf(connection, path)]);
}

async function isDirectory(connection: SftpConnection, path: string): Promise<boolean> {
  try {
    return (await connection.stat(path)).kind === "directory";
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

async function fileSystemOf(connection: SftpConnection, path: string): Promise<number | undefined> {
  try {
    return (await connection.fileSystem(path)).id;
  } catch (error) {
    if (error instanceof SftpStatusError) return undefined;
    throw error;
  }
}

function missing(directory: string, what: string, cause?: unknown): DestinationMissingError {
  return new DestinationMissingError(`the destination ${directory} ${what}`, {
    cause,
    context: { directory },
    hint: "Is it mounted on the server? A new destination is made by `ovault destination init`.",
  });
}
