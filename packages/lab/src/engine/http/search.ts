import { badRequest } from "../engine-fault.ts";
import type { ApiRequest } from "./api-request.ts";

/** Value of a field of one entity; of several values, one must match. */
export type SearchValue = string | number | boolean | readonly string[];

/** Searchable fields of one kind of entity. Names are in lower case; `host.name` refers to another kind. */
export interface SearchTable<T> {
  readonly fields: Readonly<Record<string, (entity: T) => SearchValue>>;
  /** Fields that an engine can search by and the lab cannot; one that ends in a dot is a prefix. */
  readonly unplayed: readonly string[];
}

interface Query {
  /** Groups joined by `or`, each a list of conditions joined by `and`. */
  readonly groups: readonly (readonly Condition[])[];
  readonly sortBy?: { readonly field: string; readonly descending: boolean };
  readonly page?: number;
}

interface Condition {
  /** Absent: any field may match the text. */
  readonly field?: string;
  readonly relation: Relation;
  readonly text: string;
}

const relations = ["=", "!=", "<", ">", "<=", ">="] as const;
type Relation = (typeof relations)[number];

const DEFAULT_PAGE_SIZE = 100;
const TOKEN = /"[^"]*"|!=|<=|>=|[=<>]|[^\s=!<>"]+/g;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** An engine accepts singular and plural of these kinds. */
const PLURAL = /^(cluster|disk|event|host|network|template|user|vm)s(?=\.|$)/;

/**
 * Applies `search` and `max` of a request: conditions (`name=web*`, `status != down`, `size > 1024`) joined by `and`
 * and `or`, a bare word that any field may contain, `sortby FIELD [asc|desc]`, `page N`. A page past the end is empty.
 * A search by an unknown field finds nothing, as in an engine.
 * @throws EngineFault 400 for a field that an engine knows and the lab does not play, and for an id that is no UUID
 */
export function searched<T>(request: ApiRequest, entities: readonly T[], table: SearchTable<T>): T[] {
  const query = parse(request.query.get("search") ?? "");
  if (!isUnderstood(query, table)) return [];
  const max = Number(request.query.get("max") ?? "-1");
  const found = entities.filter((entity) => matches(query, entity, table));
  if (query.sortBy !== undefined) sort(found, query.sortBy, table);
  if (query.page !== undefined) {
    const size = max > 0 ? max : DEFAULT_PAGE_SIZE;
    return found.slice((query.page - 1) * size, query.page * size);
  }
  return max >= 0 ? found.slice(0, max) : found;
}

/** False if the query has an unknown field: an engine then finds nothing, whatever the other conditions are. */
function isUnderstood<T>({ groups, sortBy }: Query, { fields, unplayed }: SearchTable<T>): boolean {
  const conditions = groups.flat();
  const asked = [...conditions.map(({ field }) => field), sortBy?.field].filter((field) => field !== undefined);
  const missing = asked.filter((field) => !(field in fields));
  for (const field of missing) {
    if (unplayed.some((name) => (name.endsWith(".") ? field.startsWith(name) : field === name))) {
      throw badRequest(`The lab cannot search by ${field}.`);
    }
  }
  if (missing.length > 0) return false;
  const wrong = conditions.find(
    ({ field, text }) => /(^|\.)id$/.test(field ?? "") && !/[*]/.test(text) && !UUID.test(text),
  );
  if (wrong !== undefined) throw badRequest(`invalid input syntax for uuid: "${wrong.text}"`);
  return true;
}

function parse(text: string): Query {
  const tokens = text.match(TOKEN) ?? [];
  const groups: Condition[][] = [[]];
  let sortBy: Query["sortBy"];
  let page: number | undefined;
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] ?? "";
    const word = token.toLowerCase();
    const operator = tokens[at + 1];
    if (word === "and") continue;
    if (word === "or") {
      groups.push([]);
    } else if (word === "sortby") {
      const direction = tokens[at + 2]?.toLowerCase();
      sortBy = { field: operator?.toLowerCase().replace(PLURAL, "$1") ?? "name", descending: direction === "desc" };
      at += direction === "asc" || direction === "desc" ? 2 : 1;
    } else if (word === "page") {
      page = Number(operator);
      at += 1;
    } else if (isRelation(operator)) {
      const field = word.replace(PLURAL, "$1");
      groups.at(-1)?.push({ field, relation: operator, text: unquoted(tokens[at + 2] ?? "") });
      at += 2;
    } else {
      groups.at(-1)?.push({ relation: "=", text: `*${unquoted(token)}*` });
    }
  }
  return { groups, ...(sortBy === undefined ? {} : { sortBy }), ...(page === undefined ? {} : { page }) };
}

function isRelation(token: string | undefined): token is Relation {
  return relations.some((relation) => relation === token);
}

function matches<T>({ groups }: Query, entity: T, { fields }: SearchTable<T>): boolean {
  return groups.some((conditions) => conditions.every((condition) => holds(condition, entity, fields)));
}

function holds<T>({ field, relation, text }: Condition, entity: T, fields: SearchTable<T>["fields"]): boolean {
  const pattern = wildcard(text);
  if (field === undefined)
    return Object.values(fields).some((read) => textsOf(read(entity)).some((one) => pattern.test(one)));
  const values = textsOf(fields[field]?.(entity) ?? "");
  if (relation === "=") return values.some((value) => pattern.test(value));
  if (relation === "!=") return !values.some((value) => pattern.test(value));
  return values.some((value) => compares(Number(value), relation, Number(text)));
}

function compares(value: number, relation: "<" | ">" | "<=" | ">=", bound: number): boolean {
  switch (relation) {
    case "<":
      return value < bound;
    case ">":
      return value > bound;
    case "<=":
      return value <= bound;
    case ">=":
      return value >= bound;
  }
}

function textsOf(value: SearchValue): readonly string[] {
  return typeof value === "object" ? value : [String(value)];
}

function wildcard(text: string): RegExp {
  const literal = text.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("*", ".*")}$`, "is");
}

function unquoted(token: string): string {
  return token.startsWith('"') ? token.slice(1, -1) : token;
}

function sort<T>(
  entities: T[],
  { field, descending }: { readonly field: string; readonly descending: boolean },
  { fields }: SearchTable<T>,
): void {
  const key = (entity: T): string => textsOf(fields[field]?.(entity) ?? "").join(" ");
  entities.sort((a, b) => key(a).localeCompare(key(b), undefined, { numeric: true }) * (descending ? -1 : 1));
}
