import { randomUUID } from "node:crypto";

import { AREA_BYTES, newResource } from "../../data-domain/sanlock-records.ts";
import { readVolumeMetadata, writeVolumeMetadata, type DataVolume } from "../../data-domain/volume-metadata.ts";
import type { NfsClient } from "../../nfs/nfs-client.ts";
import { versionOf } from "./data-domain-metadata.ts";
import type { DataDomainState } from "../engine-state.ts";
import { readTar, writeTar } from "./ovf-tar.ts";

const [DIRECTORY_MODE, FILE_MODE, VOLUME_MODE] = [0o755, 0o644, 0o660];
/** `StorageDomainOvfStoreCount` and the size of each. */
const [STORES, STORE_BYTES] = [2, 128 * 1024 * 1024];
const SUFFIX = ".ovf";

/**
 * The two disks in which an engine keeps the OVFs of a domain's machines (OvfUpdateProcessHelper of oVirt engine): tar
 * archives, described in the metadata of their volumes. They take space only for what is in them, where a host
 * allocates all.
 */
export class OvfStores {
  readonly #nfs: NfsClient;
  readonly #domain: Pick<DataDomainState, "id" | "format">;

  constructor(nfs: NfsClient, domain: Pick<DataDomainState, "id" | "format">) {
    this.#nfs = nfs;
    this.#domain = domain;
  }

  /** Makes those that are missing. */
  async make(): Promise<void> {
    const present = await this.#find();
    for (let index = present.length; index < STORES; index++) await this.#add();
  }

  /** Replaces the OVFs in all stores. */
  async write(ovfs: ReadonlyMap<string, string>): Promise<void> {
    const archive = writeTar(new Map([...ovfs].map(([vmId, ovf]) => [`${vmId}${SUFFIX}`, ovf])));
    for (const store of await this.#find()) {
      await this.#nfs.writeAt(this.#path(store), 0, archive);
      await this.#describe({ ...store, description: this.#description(archive.length) });
    }
  }

  /** The newest OVFs by the ids of their machines. A store that names other domains alone does not count. */
  async read(): Promise<ReadonlyMap<string, string>> {
    const stores = (await this.#find()).flatMap((store) => {
      const { Updated, Size, "Last Updated": date } = factsOf(store.description);
      const isOurs = store.description.includes(this.#domain.id);
      return Updated === true && typeof Size === "number" && isOurs
        ? [{ store, Size, at: Date.parse(String(date)) }]
        : [];
    });
    const newest = stores.toSorted((a, b) => b.at - a.at)[0];
    if (newest === undefined) return new Map();
    const texts = readTar(await this.#nfs.readAt(this.#path(newest.store), 0, newest.Size));
    const ovfs = [...texts].filter(([name]) => name.endsWith(SUFFIX));
    return new Map(ovfs.map(([name, ovf]) => [name.slice(0, -SUFFIX.length), ovf]));
  }

  async #find(): Promise<readonly DataVolume[]> {
    const root = `/${this.#domain.id}/images`;
    const found: DataVolume[] = [];
    for (const diskId of await this.#nfs.list(root)) {
      for (const name of (await this.#nfs.list(`${root}/${diskId}`)).filter((one) => one.endsWith(".meta"))) {
        const text = await this.#nfs.readText(`${root}/${diskId}/${name}`);
        const volume = readVolumeMetadata(text, name.slice(0, -".meta".length));
        if (volume?.type === "OVFS" && volume.diskId === diskId) found.push(volume);
      }
    }
    return found;
  }

  async #add(): Promise<void> {
    const store: DataVolume = {
      diskId: randomUUID(),
      volumeId: randomUUID(),
      domainId: this.#domain.id,
      parentId: undefined,
      format: "raw",
      sparse: false,
      virtualBytes: STORE_BYTES,
      description: JSON.stringify({ Updated: false, "Disk Description": "OVF_STORE" }),
      isLeaf: true,
      isLegal: true,
      type: "OVFS",
    };
    const path = this.#path(store);
    await this.#nfs.mkdir(`/${this.#domain.id}/images/${store.diskId}`, DIRECTORY_MODE);
    await this.#nfs.make(path, STORE_BYTES, VOLUME_MODE);
    await this.#nfs.make(`${path}.lease`, AREA_BYTES, VOLUME_MODE);
    await this.#nfs.writeAt(`${path}.lease`, 0, newResource(this.#domain.id, store.volumeId));
    await this.#describe(store);
  }

  async #describe(store: DataVolume): Promise<void> {
    const text = writeVolumeMetadata(store, versionOf(this.#domain.format));
    await this.#nfs.writeText(`${this.#path(store)}.meta`, text, FILE_MODE);
  }

  #path({ diskId, volumeId }: DataVolume): string {
    return `/${this.#domain.id}/images/${diskId}/${volumeId}`;
  }

  /** At most 210 bytes, as vdsm keeps them. */
  #description(bytes: number): string {
    // "Tue, 21 Nov 2023 10:00:00 GMT" as Java's "Tue Nov 21 10:00:00 UTC 2023"
    const [, day = "", date = "", month = "", year = "", time = ""] =
      /(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(new Date().toUTCString()) ?? [];
    return JSON.stringify({
      Updated: true,
      Size: bytes,
      "Last Updated": `${day} ${month} ${date} ${time} UTC ${year}`,
      "Storage Domains": [{ uuid: this.#domain.id }],
      "Disk Description": "OVF_STORE",
    });
  }
}

function factsOf(description: string): Readonly<Record<string, unknown>> {
  try {
    const facts: unknown = JSON.parse(description);
    return typeof facts === "object" && facts !== null ? Object.fromEntries(Object.entries(facts)) : {};
  } catch {
    return {};
  }
}
