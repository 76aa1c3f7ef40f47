import { constants } from "node:fs";
import { type FileHandle, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";

import { LedgerError, syncDirectory, systemErrorCode } from "@ovault/contract";
import { encodeRecord, type LedgerFile, type LedgerRecord, parseLedgerFile } from "./records.ts";

/** Durable when it returns. */
export async function appendRecord(handle: FileHandle, record: LedgerRecord): Promise<void> {
  await handle.appendFile(encodeRecord(record));
  await handle.datasync();
}

export async function removeLedgerFile(path: string): Promise<void> {
  await asLedgerError(path, async () => {
    await rm(path, { force: true });
    await syncDirectory(dirname(path));
  });
}

/** Runs `work`, which reads or writes the ledger at `path`. @throws LedgerError for any failure in it */
export async function asLedgerError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    throw new LedgerError(`the ledger at ${path} cannot be used: ${String(error)}`, {
      cause: error,
      context: { path },
      hint: "Nothing is made on a manager without it. Give its directory space and this user the right to write there.",
    });
  }
}

/** Adds a record to the file of another run; a file that is gone needs none. */
export async function appendToExisting(path: string, record: LedgerRecord): Promise<void> {
  await ifThere(path, async () => {
    const handle = await open(path, constants.O_WRONLY | constants.O_APPEND);
    try {
      await appendRecord(handle, record);
    } finally {
      await handle.close();
    }
  });
}

/** Undefined when the file does not exist, or no longer does. */
export async function readLedgerFile(path: string): Promise<LedgerFile | undefined> {
  return await ifThere(path, async () => parseLedgerFile(await readFile(path, "utf8")));
}

async function ifThere<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  return await asLedgerError(path, async () => {
    try {
      return await work();
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}
