import { z } from "zod";

import { IntegrityError } from "@ovault/contract";
import type { FileId } from "@ovault/nfs";

import { readJson, writeJson } from "./durable-json.ts";

const id = z.strictObject({ number: z.string().regex(/^\d+$/), generation: z.string().regex(/^\d+$/) });

const volumeEntry = z.strictObject({
  /** Of this volume alone: `HOLD-N`. */
  name: z.string().regex(/^[0-9a-f-]+$/),
  /** The file that stands for it in the tree. */
  id,
  /** It must never become larger. */
  capacityBytes: z.int().min(0),
  /** A host has removed it. */
  isRemoved: z.boolean(),
});

const tableSchema = z.strictObject({
  version: z.literal(1),
  /** The root of the tree. */
  tree: id,
  volumes: z.array(volumeEntry).readonly(),
});

export type VolumeEntry = Readonly<z.output<typeof volumeEntry>>;
type Table = Readonly<z.output<typeof tableSchema>>;

/**
 * Which file of a share's tree stands for which disk. An entry is durable before hosts see the file, so that no handle
 * ever leads to anything else.
 */
export class VolumeTable {
  readonly #path: string;
  #table: Table;
  #last: Promise<void> = Promise.resolve();

  /** @throws IntegrityError for a damaged table, or a tree that is a copy: its files have other handles */
  static async open(path: string, tree: FileId): Promise<VolumeTable> {
    const kept = await readJson(path, (value) => tableSchema.parse(value));
    const table = kept ?? { version: 1, tree: writtenId(tree), volumes: [] };
    if (kept === undefined) await writeJson(path, table);
    if (table.tree.number === writtenId(tree).number && table.tree.generation === writtenId(tree).generation) {
      return new VolumeTable(path, table);
    }
    throw new IntegrityError(`the tree beside ${path} is a copy: the files that hosts have open are not in it`, {
      context: { path },
      hint: "Move the directory of the share back as a whole, on its file system.",
    });
  }

  private constructor(path: string, table: Table) {
    this.#path = path;
    this.#table = table;
  }

  get volumes(): readonly VolumeEntry[] {
    return this.#table.volumes;
  }

  of(name: string): VolumeEntry | undefined {
    return this.volumes.find((entry) => entry.name === name);
  }

  async add(entry: VolumeEntry): Promise<void> {
    await this.#replace((volumes) => [...volumes, entry]);
  }

  async noteRemoved(name: string): Promise<void> {
    await this.#replace((volumes) =>
      volumes.map((entry) => (entry.name === name ? { ...entry, isRemoved: true } : entry)),
    );
  }

  async #replace(change: (volumes: readonly VolumeEntry[]) => readonly VolumeEntry[]): Promise<void> {
    const replacing = this.#last
      .catch(() => undefined)
      .then(async () => {
        const table = { ...this.#table, volumes: change(this.volumes) };
        await writeJson(this.#path, table);
        this.#table = table;
      });
    this.#last = replacing;
    await replacing;
  }
}

export function writtenId({ number, generation }: FileId): VolumeEntry["id"] {
  return { number: String(number), generation: String(generation) };
}

export function idOf({ id: { number, generation } }: VolumeEntry): FileId {
  return { number: BigInt(number), generation: BigInt(generation) };
}
