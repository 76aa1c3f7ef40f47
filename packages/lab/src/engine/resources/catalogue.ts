import type { Inventory } from "../engine-state.ts";
import type { SearchValue } from "../http/search.ts";
import { known } from "../inventory.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** A kind of entity of the inventory: names of its collection and element, and all entities, which stay the same. */
export interface Catalogue {
  readonly path: string;
  readonly root: string;
  readonly element: string;
  readonly entities: readonly CatalogueEntry[];
  /** As of a SearchTable. */
  readonly unplayed: readonly string[];
}

export interface CatalogueEntry {
  readonly id: string;
  readonly name: string;
  readonly content: XmlObject;
  /** Searchable fields besides id and name. */
  readonly fields: Readonly<Record<string, SearchValue>>;
  /** Id of its owner. */
  readonly ownerId?: string;
}

export function nameOfCenter({ dataCenters: all }: Inventory, id: string): string {
  return known(all, id).name;
}

export function namesIn(
  all: readonly { readonly name: string; readonly dataCenterId: string }[],
  id: string,
): readonly string[] {
  return all.filter(({ dataCenterId }) => dataCenterId === id).map(({ name }) => name);
}
