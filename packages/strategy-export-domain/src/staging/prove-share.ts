import { randomBytes, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { chown, lstat, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, OvaultError, systemErrorCode } from "@ovault/contract";
import { NfsClientError, NfsMount, type NfsPorts } from "@ovault/nfs";

import { StagingError, StagingOwnerError } from "../errors.ts";
import { exportsLine, VDSM } from "./exports-line.ts";

const TIMEOUT_MS = 20_000;
/** Files of a proof, which takes seconds. */
const PROBE = /^\.ovault-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const OLD_MS = 3_600_000;
/** As vdsm makes volumes. */
const MODE = 0o660;
const FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A folder as hosts mount it. */
export interface NfsShare {
  readonly address: string;
  readonly path: string;
  readonly ports: NfsPorts;
}

/**
 * Proves that a share is the folder, and that hosts and ovault can use each other's files: as VDSM, through the
 * network, it makes a file that this process must find, read and remove, and the reverse.
 *
 * @param clients who must be allowed to connect, for the exports line in a hint
 * @throws StagingError when nothing is exported there, or something else; StagingOwnerError
 */
export async function proveShare(
  share: NfsShare,
  folder: string,
  { clients, signal }: { readonly clients: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  await removeOld(folder).catch(() => undefined);
  const proof = new Proof(share, folder, exportsLine({ folder, clients }));
  const end = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    await proof.run(end);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof StagingError ? error : proof.useless(error);
  } finally {
    await proof.clear();
  }
}

/** What proofs left whose process was killed. */
async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!PROBE.test(name)) continue;
    const { mtimeMs } = await lstat(join(folder, name)).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs > OLD_MS) await rm(join(folder, name), { force: true });
  }
}

class Proof {
  readonly #share: NfsShare;
  readonly #folder: string;
  readonly #line: string;
  readonly #names = { theirs: `.ovault-${randomUUID()}`, ours: `.ovault-${randomUUID()}` };

  constructor(share: NfsShare, folder: string, line: string) {
    this.#share = share;
    this.#folder = folder;
    this.#line = line;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { address: host, path, ports } = this.#share;
    await using mount = await NfsMount.open({ host, ports, path, caller: VDSM, signal });
    const text = randomBytes(16).toString("hex");
    await mount.write(this.#names.theirs, Buffer.from(text), MODE);
    const owner = await this.#find(text);
    await this.#makeOurs(text, owner);
    const { ours } = this.#names;
    const read = await mount.read(ours).then(
      async (bytes) => {
        await mount.remove(ours);
        return bytes.toString();
      },
      (error: unknown) => {
        throw this.#wrongOwner(`hosts cannot use what ovault writes: ${messageOf(error)}`, error);
      },
    );
    if (read !== text) throw this.#otherPlace();
  }

  /** Looks at what came through the network, as ovault does at what hosts export. Returns its owner. */
  async #find(text: string): Promise<{ readonly uid: number; readonly gid: number }> {
    const file = join(this.#folder, this.#names.theirs);
    const handle = await open(file, constants.O_RDWR | FLAGS).catch((error: unknown) => {
      if (systemErrorCode(error) === "ENOENT") throw this.#otherPlace();
      throw this.#wrongOwner(`ovault cannot use what hosts write: ${messageOf(error)}`, error);
    });
    try {
      if ((await handle.readFile("utf8")) !== text) throw this.#otherPlace();
      const { uid, gid } = await handle.stat();
      const folder = await stat(this.#folder);
      const right = [VDSM, { uid: process.getuid?.(), gid: process.getgid?.() }, folder];
      if (!right.some((one) => one.uid === uid && one.gid === gid)) {
        throw this.#wrongOwner(
          `hosts write there as ${uid}:${gid}, and the folder belongs to ${folder.uid}:${folder.gid}`,
        );
      }
      await rm(file).catch((error: unknown) => {
        throw this.#wrongOwner(`ovault cannot remove what hosts write: ${messageOf(error)}`, error);
      });
      return { uid, gid };
    } finally {
      await handle.close();
    }
  }

  async #makeOurs(text: string, owner: { readonly uid: number; readonly gid: number }): Promise<void> {
    const file = join(this.#folder, this.#names.ours);
    await using handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | FLAGS, MODE);
    await handle.chmod(MODE);
    await handle.writeFile(text);
    if (process.getuid?.() === 0) await chown(file, owner.uid, owner.gid);
  }

  async clear(): Promise<void> {
    for (const name of Object.values(this.#names)) {
      await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
    }
  }

  /** The network, or the server, does not let a host use the folder. */
  useless(cause: unknown): StagingError {
    const isLate = cause instanceof Error && cause.name === "TimeoutError";
    const why = isLate ? `no answer for ${TIMEOUT_MS / 1000} s` : messageOf(cause);
    const refused = cause instanceof NfsClientError || isLate || cause instanceof OvaultError;
    return new StagingError(`hosts could not use ${this.#title}: ${why}`, {
      cause,
      context: { folder: this.#folder, address: this.#share.address },
      ...(refused && {
        hint: `Start \`ovault export-domain serve\`, or let the kernel's NFS server export it (NFSv3): add "${this.#line}" to /etc/exports, then run \`exportfs -ra\`.`,
      }),
    });
  }

  get #title(): string {
    const { address, path, ports } = this.#share;
    return `${address}:${path} (port ${ports.nfs})`;
  }

  #otherPlace(): StagingError {
    return new StagingError(
      `${this.#title} is not the folder ${this.#folder}: what a client writes there is not here`,
      {
        context: { folder: this.#folder, address: this.#share.address },
        hint: (field) =>
          `Another machine, or another file system, is exported there: check ${field("address")}, and what is mounted.`,
      },
    );
  }

  #wrongOwner(why: string, cause?: unknown): StagingOwnerError {
    return new StagingOwnerError(`the export of ${this.#folder} has the wrong owner: ${why}`, {
      cause,
      context: { folder: this.#folder },
      hint: `Export it with: ${this.#line}; then run \`exportfs -ra\`. The folder must belong to that user and group.`,
    });
  }
}
