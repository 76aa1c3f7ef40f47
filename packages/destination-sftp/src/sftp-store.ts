import { posix } from "node:path";

import {
  assertKeyPrefix,
  assertObjectKey,
  type CallOptions,
  type GetOptions,
  type ObjectInfo,
  type ObjectKey,
  type ObjectStore,
  type PutOptions,
  type StoreCapabilities,
  unlessAborted,
} from "@ovault/contract";
import { assertObjectLength, endsEarly, type FileSystem, FileTree, notFound } from "@ovault/file-tree";

import type { ConnectionPool } from "./connection-pool.ts";
import { DRAFTS, newDraft, removeDraft, removeStaleDrafts, writeDraft } from "./draft.ts";
import { decided } from "./decided.ts";
import { type Features, findFeatures, NO_FEATURES } from "./features.ts";
import { listTree, type ReadNames } from "./list-tree.ts";
import { mapSftpError } from "./map-sftp-error.ts";
import { openPool } from "./open-pool.ts";
import { type Publication, publish, publishIfAbsent } from "./publish.ts";
import { readExactly } from "./read-exactly.ts";
import { type NamedFile, readDirectory, type ReadOptions } from "./read-directory.ts";
import { remoteFiles } from "./remote-files.ts";
import { RemoteRoot } from "./remote-root.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import type { SftpSettings } from "./sftp-settings.ts";
import { isAbsence } from "./sftp-status.ts";

/** A call on its way to a connection. */
interface Call {
  /** The attempted action, to follow "cannot". */
  readonly what: string;
  /** Space that the call takes, if it changes something. */
  readonly bytes?: number;
  readonly signal: AbortSignal;
}

/**
 * A directory on an SSH server as an object store. The object `a/b` is the file `a/b`. Files are 0600, directories
 * 0700. Speaks SFTP version 3 and uses OpenSSH's extensions where the server has them; README.md lists the guarantees
 * without.
 */
export class SftpStore implements ObjectStore {
  readonly capabilities: StoreCapabilities;
  readonly #pool: ConnectionPool;
  readonly #root: RemoteRoot;
  readonly #tree: FileTree;
  readonly #drafts: string;
  readonly #features: Features;

  private constructor(pool: ConnectionPool, root: RemoteRoot, features: Features) {
    this.#pool = pool;
    this.#root = root;
    this.#tree = new FileTree(root.path);
    this.#drafts = draftsIn(root);
    this.#features = features;
    this.capabilities = { conditionalPut: features.hardLinks };
  }

  /**
   * Logs in and finds out what the server can do. Never makes the directory.
   * @throws HostKeyError when the server's key is unknown; DestinationMissingError when the directory does not exist;
   *   other errors of a store.
   */
  static async open(settings: SftpSettings, signal: AbortSignal): Promise<SftpStore> {
    const pool = await openPool(settings);
    try {
      return await pool.use(signal, async (connection) => {
        const opening = lookAround(connection, settings);
        try {
          const { root, features } = await unlessAborted(opening, signal);
          return new SftpStore(pool, root, features);
        } catch (error) {
          throw await mapSftpError(error, { connection, root: settings.directory, what: "open the destination" });
        }
      });
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  async put(
    key: ObjectKey,
    parts: readonly Uint8Array[],
    { ifAbsent, signal }: PutOptions,
  ): Promise<"stored" | "exists"> {
    assertObjectKey(key);
    const call = { what: `write ${key}`, bytes: parts.reduce((sum, part) => sum + part.length, 0), signal };
    return await this.#call(call, async (connection) => {
      const draft = newDraft(this.#drafts);
      let writing: Promise<void> | undefined;
      const cleanUp = async (): Promise<void> => {
        await writing?.catch(() => undefined);
        if (writing !== undefined) await removeDraft(connection, draft);
      };
      try {
        const target = await unlessAborted(this.#prepare(connection, key), signal);
        writing = writeDraft(connection, draft, parts, signal);
        await unlessAborted(writing, signal);
        const outcome = await decided(this.#publish({ connection, draft, target }, ifAbsent), connection, signal);
        void cleanUp();
        return outcome;
      } catch (error) {
        // In this order: the draft may be what fills the disk, and must be gone for the next try.
        const failure = isAbsence(error)
          ? await this.#tree.vanished(this.#files(connection), key, error)
          : await this.#explained(error, connection, call);
        await unlessAborted(cleanUp(), signal);
        throw failure;
      }
    });
  }

  async get(key: ObjectKey, options: GetOptions): Promise<Uint8Array> {
    assertObjectKey(key);
    const { signal } = options;
    return await this.#call({ what: `read ${key}`, signal }, (connection) =>
      unlessAborted(this.#read(connection, key, options), signal),
    );
  }

  async stat(key: ObjectKey, { signal }: CallOptions): Promise<ObjectInfo> {
    assertObjectKey(key);
    return await this.#call({ what: `look at ${key}`, signal }, (connection) =>
      unlessAborted(this.#stat(connection, key), signal),
    );
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertKeyPrefix(prefix);
    // Holds no connection between the yields: the caller may need one.
    const read: ReadNames = (at, options) =>
      this.#call({ what: `list ${at}`, signal }, (connection) =>
        unlessAborted(this.#readNames(connection, at, { ...options, signal }), signal),
      );
    for await (const info of listTree(read, prefix)) {
      signal.throwIfAborted();
      yield info;
    }
  }

  async delete(key: ObjectKey, { signal }: CallOptions): Promise<void> {
    assertObjectKey(key);
    await this.#call({ what: `delete ${key}`, bytes: 0, signal }, (connection) =>
      unlessAborted(this.#remove(connection, key), signal),
    );
  }

  /** Ends all connections. Aborted calls get two seconds to clean up. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #call<T>(call: Call, work: (connection: SftpConnection) => Promise<T>): Promise<T> {
    return await this.#pool.use(call.signal, async (connection) => {
      try {
        return await work(connection);
      } catch (error) {
        throw await this.#explained(error, connection, call);
      }
    });
  }

  async #explained(error: unknown, connection: SftpConnection, { signal, ...call }: Call): Promise<unknown> {
    if (signal.aborted) return signal.reason;
    return await mapSftpError(error, { connection, root: this.#root.path, ...call });
  }

  #files(connection: SftpConnection): FileSystem {
    const { syncsDirectories } = this.#features;
    return remoteFiles(connection, { root: this.#root, syncsDirectories });
  }

  async #prepare(connection: SftpConnection, key: ObjectKey): Promise<string> {
    await this.#tree.prepareDirectory(this.#files(connection), this.#drafts);
    return await this.#tree.prepare(this.#files(connection), key);
  }

  async #publish(publication: Publication, ifAbsent: boolean): Promise<"stored" | "exists"> {
    const { connection, target } = publication;
    const outcome = ifAbsent ? await publishIfAbsent(publication, this.#features) : await publish(publication);
    // An existing object, too: the process that made it may not have flushed its name yet.
    await this.#files(connection).syncDirectory(posix.dirname(target));
    return outcome;
  }

  async #read(connection: SftpConnection, key: ObjectKey, { range, signal }: GetOptions): Promise<Uint8Array> {
    try {
      const path = await this.#tree.locate(this.#files(connection), key);
      const handle = await connection.open(path, "r");
      try {
        // The size is that of the opened file, whatever has the name by now; only the name shows that it is a link.
        const [named, opened] = await Promise.all([connection.stat(path), connection.statHandle(handle)]);
        if (named.kind !== "file" || opened.kind !== "file") throw notFound(key);
        const { offset, length } = range ?? { offset: 0, length: opened.bytes };
        // Checked before a buffer of that size is allocated.
        if (offset + length > opened.bytes) throw endsEarly(key, opened.bytes, offset + length);
        assertObjectLength(key, length);
        return await readExactly(connection, handle, { key, offset, length }, signal);
      } finally {
        connection.closeInBackground(handle);
      }
    } catch (error) {
      if (!isAbsence(error)) throw error;
      await this.#tree.assertPresent(this.#files(connection));
      throw notFound(key, error);
    }
  }

  async #stat(connection: SftpConnection, key: ObjectKey): Promise<ObjectInfo> {
    try {
      const { kind, bytes } = await connection.stat(await this.#tree.locate(this.#files(connection), key));
      if (kind === "file") return { key, bytes };
    } catch (error) {
      if (!isAbsence(error)) throw error;
      await this.#tree.assertPresent(this.#files(connection));
    }
    throw notFound(key);
  }

  async #readNames(connection: SftpConnection, prefix: string, options: ReadOptions): Promise<readonly NamedFile[]> {
    const directory = posix.resolve(this.#root.path, prefix);
    await this.#tree.assertPresent(this.#files(connection));
    try {
      await this.#tree.assertReal(this.#files(connection), directory);
      return await readDirectory(connection, directory, options);
    } catch (error) {
      if (!isAbsence(error)) throw error;
      return [];
    }
  }

  async #remove(connection: SftpConnection, key: ObjectKey): Promise<void> {
    try {
      const path = await this.#tree.locate(this.#files(connection), key);
      if ((await connection.stat(path)).kind !== "file") return;
      await connection.remove(path);
      await this.#files(connection).syncDirectory(posix.dirname(path));
    } catch (error) {
      if (!isAbsence(error)) throw error;
      await this.#tree.assertPresent(this.#files(connection));
    }
  }
}

async function lookAround(
  connection: SftpConnection,
  { directory, readOnly }: SftpSettings,
): Promise<{ root: RemoteRoot; features: Features }> {
  const root = await RemoteRoot.open(connection, directory);
  const drafts = draftsIn(root);
  const features = readOnly ? NO_FEATURES : await findFeatures(connection, drafts);
  if (features !== NO_FEATURES) await removeStaleDrafts(connection, drafts, features.now);
  return { root, features };
}

function draftsIn(root: RemoteRoot): string {
  return posix.join(root.path, DRAFTS);
}
