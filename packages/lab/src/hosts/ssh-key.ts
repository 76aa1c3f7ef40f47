import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, rm } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

export type SshKeyType = "ed25519" | "rsa";

/** Makes a key with its public half in `FILE.pub`, unless it is there. */
export async function keepKey(file: string, type: SshKeyType): Promise<void> {
  try {
    await access(`${file}.pub`);
  } catch {
    await makeKey(file, type);
  }
}

/** Makes a key, in place of an earlier one, with its public half in `FILE.pub`. Only the owner may read both. */
export async function makeKey(file: string, type: SshKeyType): Promise<void> {
  for (const half of [file, `${file}.pub`]) await rm(half, { force: true });
  await run("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "ovault lab", "-f", file]);
  await chmod(`${file}.pub`, 0o600);
}

/** As `ssh-keygen -l` shows it: `SHA256:…` without padding. */
export function sshFingerprint(publicKey: string): string {
  const [, key = ""] = publicKey.split(" ");
  const digest = createHash("sha256").update(Buffer.from(key, "base64")).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}
