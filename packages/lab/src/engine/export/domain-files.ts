import type { NfsClient } from "../../nfs/nfs-client.ts";
import { NfsFailure } from "../../nfs/nfs-failure.ts";
import { EngineFault } from "../engine-fault.ts";
import { type DomainMetadata, readDomainMetadata } from "./domain-metadata.ts";

/** User and group of hosts. */
export const VDSM = 36;
export const [DIRECTORY_MODE, FILE_MODE, VOLUME_MODE] = [0o755, 0o644, 0o660];
const METADATA = "dom_md/metadata";

/** What the trees of storage domains on NFS exports share, whatever their class. */
export class DomainFiles {
  /** Path of the domain, from the export down. */
  readonly root: string;
  readonly #nfs: NfsClient;

  constructor(nfs: NfsClient, id: string) {
    this.#nfs = nfs;
    this.root = `/${id}`;
  }

  /** The domain of this class that lies on an export already and can be read. Hosts take the first that they find. */
  static async find(nfs: NfsClient, domainClass: string): Promise<DomainMetadata | undefined> {
    for (const name of await nfs.list("/")) {
      try {
        const found = readDomainMetadata(await nfs.readText(`/${name}/${METADATA}`));
        if (found.domainClass === domainClass && found.id === name) return found;
      } catch (error) {
        if (!(error instanceof NfsFailure) && !(error instanceof EngineFault)) throw error;
      }
    }
    return undefined;
  }

  /** Whether a domain of any class lies on the export. */
  static async isTaken(nfs: NfsClient): Promise<boolean> {
    for (const name of await nfs.list("/")) if (await exists(nfs, `/${name}/dom_md`)) return true;
    return false;
  }

  readMetadata(): Promise<string> {
    return this.#nfs.readText(`${this.root}/${METADATA}`);
  }

  async replaceMetadata(text: string): Promise<void> {
    const draft = `${this.root}/${METADATA}.new`;
    await this.#nfs.writeText(draft, text, FILE_MODE);
    await this.#nfs.rename(draft, `${this.root}/${METADATA}`);
  }

  /** `path`: below the domain. */
  exists(path: string): Promise<boolean> {
    return exists(this.#nfs, `${this.root}${path}`);
  }

  /** Removes the whole domain. */
  async format(): Promise<void> {
    await this.#nfs.remove(this.root);
  }
}

async function exists(nfs: NfsClient, path: string): Promise<boolean> {
  try {
    await nfs.stat(path);
    return true;
  } catch (error) {
    if (error instanceof NfsFailure && ["ENOENT", "ENOTDIR"].includes(error.systemCode)) return false;
    throw error;
  }
}
