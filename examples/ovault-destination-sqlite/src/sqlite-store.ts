import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

import {
  assertKeyPrefix,
  assertObjectKey,
  type CallOptions,
  DestinationMissingError,
  type GetOptions,
  IntegrityError,
  type ObjectInfo,
  type ObjectKey,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
} from "@ovault/contract";

import { mapSqliteError } from "./map-sqlite-error.ts";

/** The keys have a separate index: a look-up must not read the bodies of others. */
const SCHEMA = "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, body BLOB NOT NULL)";
/** Rows per query. */
const PAGE = 100;

/** How long to wait for another process that writes, in milliseconds. */
const BUSY_MS = 5000;

/** All objects in one SQLite file, each in a row. */
export class SqliteStore implements ObjectStore {
  /** A primary key has one winner, also between processes. */
  readonly capabilities = { conditionalPut: true };
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Never makes the file. @throws DestinationMissingError when it does not exist. */
  static open(file: string): SqliteStore {
    if (existsSync(file)) return new SqliteStore(connect(file));
    throw new DestinationMissingError(`there is no ${file}`, {
      context: { file },
      hint: "Is its disk mounted? A new one is made by `ovault destination init`.",
    });
  }

  /** Makes the file if it is missing; its directory must exist. */
  static prepare(file: string): void {
    connect(file, SCHEMA).close();
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
    for (;;) {
      signal.throwIfAborted();
      const page = this.#page(prefix, last);
      yield* page;
      if (page.length < PAGE) return;
      last = page.at(-1)?.key ?? last;
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
    try {
      const rows = select.all(last, prefix.length, prefix, PAGE);
      return rows.map((row) => ({ key: String(row["key"]), bytes: Number(row["bytes"]) }));
    } catch (error) {
      throw mapSqliteError(error, `list ${prefix}`);
    }
  }

  /** Frame of every call: checks key and signal, and maps errors to store errors. */
  #call<T>(key: ObjectKey, signal: AbortSignal, work: () => T): T {
    signal.throwIfAborted();
    assertObjectKey(key);
    try {
      return work();
    } catch (error) {
      throw mapSqliteError(error, `work on ${key}`);
    }
  }
}

function connect(file: string, ...statements: readonly string[]): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { timeout: BUSY_MS });
    for (const statement of ["PRAGMA synchronous = FULL", ...statements]) database.exec(statement);
    return database;
  } catch (error) {
    throw mapSqliteError(error, `open ${file}`);
  }
}
