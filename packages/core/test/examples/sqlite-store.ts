import { DatabaseSync } from "node:sqlite";

import {
  assertKeyPrefix,
  assertObjectKey,
  type CallOptions,
  type GetOptions,
  IntegrityError,
  type ObjectInfo,
  type ObjectKey,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
  StoreError,
  StoreFullError,
  StoreReadOnlyError,
  StoreUnavailableError,
} from "@ovault/core";

const SCHEMA = "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID";
/** Result codes of SQLite (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_FULL = 13;
/** Rows asked for at once. */
const PAGE = 100;

/** All objects in one SQLite file: the example of docs/writing-a-destination.md. */
export class SqliteStore implements ObjectStore {
  /** A primary key has one winner, also between processes. */
  readonly capabilities = { conditionalPut: true };
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec("PRAGMA synchronous = FULL");
    this.#database.exec(SCHEMA);
  }

  async put(key: ObjectKey, parts: readonly Uint8Array[], { ifAbsent, signal }: PutOptions) {
    return this.#call(key, signal, () => {
      const insert = this.#database.prepare(`INSERT OR ${ifAbsent ? "IGNORE" : "REPLACE"} INTO objects VALUES (?, ?)`);
      return insert.run(key, Buffer.concat(parts)).changes === 0 ? "exists" : "stored";
    });
  }

  async get(key: ObjectKey, { range, signal }: GetOptions): Promise<Uint8Array> {
    return this.#call(key, signal, () => {
      const { bytes } = this.#find(key);
      const { offset, length } = range ?? { offset: 0, length: bytes };
      if (offset + length > bytes) {
        throw new IntegrityError(`${key} has ${bytes} bytes, expected ${offset + length}`, { context: { key, bytes } });
      }
      const select = this.#database.prepare("SELECT substr(body, ?, ?) AS part FROM objects WHERE key = ?");
      const part = select.get(offset + 1, length, key)?.["part"];
      return part instanceof Uint8Array ? part : new Uint8Array();
    });
  }

  async stat(key: ObjectKey, { signal }: CallOptions): Promise<ObjectInfo> {
    return this.#call(key, signal, () => this.#find(key));
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertKeyPrefix(prefix);
    let last = "";
    for (let full = true; full;) {
      signal.throwIfAborted();
      const page = this.#page(prefix, last);
      yield* page;
      last = page.at(-1)?.key ?? last;
      full = page.length === PAGE;
    }
  }

  async delete(key: ObjectKey, { signal }: CallOptions): Promise<void> {
    this.#call(key, signal, () => this.#database.prepare("DELETE FROM objects WHERE key = ?").run(key));
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #find(key: ObjectKey): ObjectInfo {
    const row = this.#database.prepare("SELECT length(body) AS bytes FROM objects WHERE key = ?").get(key);
    if (row === undefined) throw new ObjectNotFoundError(`no object ${key}`, { context: { key } });
    return { key, bytes: Number(row["bytes"]) };
  }

  #page(prefix: string, last: string): ObjectInfo[] {
    const select = this.#database.prepare(
      "SELECT key, length(body) AS bytes FROM objects WHERE key > ? AND substr(key, 1, ?) = ? ORDER BY key LIMIT ?",
    );
    return select
      .all(last, prefix.length, prefix, PAGE)
      .map((row) => ({ key: String(row["key"]), bytes: Number(row["bytes"]) }));
  }

  /** What every call begins and ends with: the key is one, the run goes on, and only store errors leave. */
  #call<T>(key: ObjectKey, signal: AbortSignal, work: () => T): T {
    signal.throwIfAborted();
    assertObjectKey(key);
    try {
      return work();
    } catch (error) {
      throw mapSqliteError(error, key);
    }
  }
}

function mapSqliteError(error: unknown, key: ObjectKey): unknown {
  if (!(error instanceof Error && "errcode" in error)) return error;
  const options = { cause: error, context: { key } };
  switch (Number(error.errcode) & 0xff) {
    case SQLITE_FULL:
      return new StoreFullError("the disk of the database is full", { ...options, hint: "Free space on it." });
    case SQLITE_READONLY:
      return new StoreReadOnlyError("the database is read-only", { ...options, hint: "Make the file writable." });
    case SQLITE_BUSY:
      return new StoreUnavailableError("another process writes the database", { ...options, retry: "transient" });
    default:
      return new StoreError(`SQLite failed for ${key}: ${error.message}`, options);
  }
}
