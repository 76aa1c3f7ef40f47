import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { run } from "./commands.ts";

/** Exists only for a server that `asSeenWithUser` started. */
export const OTHER_USER = { name: "ovault-other", id: 65_431, password: "correct horse" };

/** Needs root and a mount namespace; a test that skips without them must report that. */
export async function canHaveOtherUsers(): Promise<boolean> {
  try {
    if (process.getuid?.() !== 0) throw new Error("not root");
    await run("unshare", ["--mount", "true"]);
    return true;
  } catch (error) {
    process.stderr.write(`SKIPPED: logins of another user, and by password: cannot have one here (${String(error)})\n`);
    return false;
  }
}

export interface OtherLogin {
  /** Default: /bin/sh. */
  readonly shell?: string;
  /** Default: the root directory. */
  readonly home?: string;
}

/**
 * The command that runs a program with one more user. The machine does not change: only that program sees other files
 * in place of /etc/passwd and /etc/shadow.
 */
export async function asSeenWithUser(
  directory: string,
  command: readonly string[],
  { shell = "/bin/sh", home = "/" }: OtherLogin = {},
): Promise<readonly string[]> {
  const { name, id, password } = OTHER_USER;
  const hash = (await run("openssl", ["passwd", "-6", password])).trim();
  const users = join(directory, "passwd");
  const passwords = join(directory, "shadow");
  await writeFile(users, `${await readFile("/etc/passwd", "utf8")}${name}:x:${id}:${id}::${home}:${shell}\n`);
  await writeFile(passwords, `${await readFile("/etc/shadow", "utf8")}${name}:${hash}:19000:0:99999:7:::\n`, {
    mode: 0o600,
  });
  const script = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/shadow && shift 2 && exec "$@"';
  return ["unshare", "--mount", "sh", "-c", script, "sh", users, passwords, ...command];
}
