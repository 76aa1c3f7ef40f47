import { randomBytes, randomUUID } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { readSettingsFile, ConfigurationError, syncDirectory, systemErrorCode } from "@ovault/contract";
import { KEY_BYTES } from "./repository-key.ts";
import { RepositorySecret } from "./repository-secret.ts";

const READABLE_BY_OTHERS = 0o077;
const MOST_BYTES = 1024;
const FORM = /^[A-Za-z0-9+/]{43}=\s*$/;

/**
 * Reads a key file: 32 random bytes in Base64.
 * @throws ConfigurationError when it cannot be read, holds something else, or other users may read it
 */
export async function readKeyFile(file: string): Promise<RepositorySecret> {
  const { stats, text } = await readSettingsFile(file, { what: "the key file", mostBytes: MOST_BYTES });
  if ((stats.mode & READABLE_BY_OTHERS) !== 0) {
    throw new ConfigurationError(`the key file ${file} can be read by others than its owner`, {
      context: { file },
      hint: `chmod 600 ${file}`,
    });
  }
  if (FORM.test(text)) return RepositorySecret.keyFile(Buffer.from(text, "base64"));
  throw new ConfigurationError(`${file} is not a key file`, {
    context: { file },
    hint: "It holds 32 random bytes in Base64, as `ovault init --encrypt --key-file` makes it.",
  });
}

/**
 * Makes a new key file, durably, readable by its owner only. Answers false, and changes nothing, when the file exists.
 * @throws ConfigurationError when it cannot be made
 */
export async function createKeyFile(file: string): Promise<boolean> {
  const text = `${randomBytes(KEY_BYTES).toString("base64")}\n`;
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, text, { mode: 0o600, flag: "wx", flush: true });
    await link(draft, file); // fails when the file exists
    await syncDirectory(dirname(file));
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw new ConfigurationError(`cannot make the key file ${file}`, { cause: error, context: { file } });
  } finally {
    await rm(draft, { force: true });
  }
}
