import {
  StoreError,
  StoreFullError,
  StorePermissionError,
  StoreReadOnlyError,
  StoreUnavailableError,
} from "@ovault/contract";

/** Result codes of SQLite (sqlite.org/rescode.html). */
const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
/** The reason in the low byte, details above it. */
const REASON = 0xff;

/** The store error for an error of SQLite; returns others unchanged. `what` completes "could not". */
export function mapSqliteError(error: unknown, what: string): unknown {
  if (!(error instanceof Error && "errcode" in error)) return error;
  const message = `could not ${what}: ${error.message}`;
  switch (Number(error.errcode) & REASON) {
    case SQLITE_FULL:
      return new StoreFullError(message, { cause: error, hint: "Free space on the disk of the database." });
    case SQLITE_READONLY:
      return new StoreReadOnlyError(message, { cause: error, hint: "Make the file and its directory writable." });
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return new StorePermissionError(message, {
        cause: error,
        hint: "Is the directory there, and may you write in it?",
      });
    case SQLITE_BUSY:
      return new StoreUnavailableError(message, { cause: error, retry: "transient" });
    default:
      return new StoreError(message, { cause: error });
  }
}
