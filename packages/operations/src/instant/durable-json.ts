import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

import { IntegrityError, syncDirectory, systemErrorCode } from "@ovault/contract";
import { z } from "zod";

/** Replaces the file, durably: after a power cut it is the old one or the new one. For this user alone. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const draft = `${path}.new`;
  const handle = await open(draft, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(value, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, path);
  await syncDirectory(dirname(path));
}

/** Undefined when there is no such file. @throws IntegrityError when its content is not what `parse` takes */
export async function readJson<T>(path: string, parse: (value: unknown) => T): Promise<T | undefined> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  });
  if (text === undefined) return undefined;
  try {
    return parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new IntegrityError(`${path} is damaged: ${why}`, { cause: error, context: { path } });
  }
}
