import { HostKeyError } from "./errors.ts";

/** The key that a server proved itself with, and where it was looked up. */
export interface SeenKey {
  readonly host: string;
  readonly port: number;
  readonly type: string;
  readonly fingerprint: string;
  /** The file of known hosts, and the server's name in it. */
  readonly file: string;
  readonly name: string;
}

export function pinnedKeyDiffers(seen: Omit<SeenKey, "file" | "name">, pinned: string): HostKeyError {
  const { host, port, type, fingerprint } = seen;
  return new HostKeyError(`the ${type} key of ${host}:${port} is ${fingerprint}, not the pinned ${pinned}`, {
    context: { host, port, type, fingerprint, pinned },
    hint: `Another machine may be in between. If the server has a new key, or the pinned one is of another type: compare with \`ssh-keygen -lf\` on the server, then set hostKey: ${fingerprint}`,
  });
}

export function recordDiffers(
  seen: Omit<SeenKey, "file" | "name">,
  recorded: string,
  { by, renewal = "have the record renewed" }: { readonly by: string; readonly renewal?: string | undefined },
): HostKeyError {
  const { host, port, type, fingerprint } = seen;
  const differs = recorded === "" ? `and ${by} has no key` : `not ${recorded}, which ${by} has`;
  return new HostKeyError(`the ${type} key of ${host}:${port} is ${fingerprint}, ${differs}`, {
    context: { host, port, type, fingerprint, recorded },
    hint: `Another machine may be in between. If the server has a new key: compare ${fingerprint} with \`ssh-keygen -lf\` on the server, then ${renewal}, or set hostKey: ${fingerprint}`,
  });
}

export function keyIsUnknown(seen: SeenKey, why: string): HostKeyError {
  return about(seen, {
    message: `cannot tell whether this is ${seen.name}: ${seen.file} ${why}`,
    hint: `Compare ${seen.fingerprint} with \`ssh-keygen -lf\` on the server. If it is the same: ${scanCommand(seen)}`,
  });
}

/** @param known fingerprints of the keys that the file has for it */
export function keyHasChanged(seen: SeenKey, known: readonly string[]): HostKeyError {
  return about(seen, {
    message: `the key of ${seen.name} is not the one that ${seen.file} has, ${known.join(" or ")}`,
    hint: `Another machine may be in between. If the server has a new key (compare ${seen.fingerprint} with \`ssh-keygen -lf\` there): ssh-keygen -f ${seen.file} -R '${seen.name}' && ${scanCommand(seen)}`,
  });
}

export function keyIsRevoked(seen: SeenKey): HostKeyError {
  return about(seen, {
    message: `the key of ${seen.name} is revoked in ${seen.file}`,
    hint: "It proves nothing any more. Give the server a new key and make that one known.",
  });
}

function about(seen: SeenKey, { message, hint }: { message: string; hint: string }): HostKeyError {
  return new HostKeyError(`${message} (${seen.type} ${seen.fingerprint})`, { context: { ...seen }, hint });
}

function scanCommand({ host, port, type, file }: SeenKey): string {
  const short = type.replace(/^ssh-/, "").replace(/^ecdsa-.*/, "ecdsa");
  return `ssh-keyscan -t ${short} -p ${port} ${host} >> ${file}`;
}
