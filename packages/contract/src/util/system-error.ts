import { getSystemErrorMessage } from "node:util";

/** The code of an error that the operating system raised (`ENOENT`, `ECONNRESET`…), undefined for any other. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** What the operating system says of an error that it raised: `no such file or directory`; undefined for any other. */
export function systemErrorText(error: unknown): string | undefined {
  if (systemErrorCode(error) === undefined || !(error instanceof Error) || !("errno" in error)) return undefined;
  return typeof error.errno === "number" ? getSystemErrorMessage(error.errno) : undefined;
}

/** For `catch`: undefined for a file or directory that does not exist; rethrows any other error. */
export function undefinedIfMissing(error: unknown): undefined {
  if (systemErrorCode(error) !== "ENOENT") throw error;
}
