import type { ApiRequest } from "./api-request.ts";

/** What a search can ask of one entity, e.g. `{ name: "web", status: "up" }`. */
export type SearchFields = Readonly<Record<string, string>>;

interface Query {
  /** Groups joined by `or`, each a list of conditions joined by `and`. */
  readonly groups: readonly (readonly Condition[])[];
  readonly sortBy?: { readonly field: string; readonly descending: boolean };
  readonly page?: number;
}

interface Condition {
  /** Absent: any field may contain the text. */
  readonly field?: string;
  readonly negated: boolean;
  readonly pattern: RegExp;
}

const DEFAULT_PAGE_SIZE = 100;
const TOKEN = /"[^"]*"|!=|=|[^\s=!"]+/g;

/**
 * Applies `search` and `max` of a request: conditions (`name=web*`, `status != down`) joined by `and` and `or`, a bare
 * word that any field may contain, `sortby FIELD [asc|desc]`, `page N`. A page past the end is empty.
 */
export function searched<T>(request: ApiRequest, entities: readonly T[], fieldsOf: (entity: T) => SearchFields): T[] {
  const query = parse(request.query.get("search") ?? "");
  const max = Number(request.query.get("max") ?? "-1");
  const found = entities.filter((entity) => matches(query, fieldsOf(entity)));
  if (query.sortBy !== undefined) sort(found, query.sortBy, fieldsOf);
  if (query.page !== undefined) {
    const size = max > 0 ? max : DEFAULT_PAGE_SIZE;
    return found.slice((query.page - 1) * size, query.page * size);
  }
  return max >= 0 ? found.slice(0, max) : found;
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
      sortBy = { field: operator?.toLowerCase() ?? "name", descending: direction === "desc" };
      at += direction === "asc" || direction === "desc" ? 2 : 1;
    } else if (word === "page") {
      page = Number(operator);
      at += 1;
    } else if (operator === "=" || operator === "!=") {
      groups.at(-1)?.push({ field: word, negated: operator === "!=", pattern: wildcard(tokens[at + 2] ?? "") });
      at += 2;
    } else {
      groups.at(-1)?.push({ negated: false, pattern: wildcard(`*${unquoted(token)}*`) });
    }
  }
  return { groups, ...(sortBy === undefined ? {} : { sortBy }), ...(page === undefined ? {} : { page }) };
}

function matches({ groups }: Query, fields: SearchFields): boolean {
  return groups.some((conditions) => conditions.every((condition) => holds(condition, fields)));
}

function holds({ field, negated, pattern }: Condition, fields: SearchFields): boolean {
  if (field === undefined) return Object.values(fields).some((value) => pattern.test(value));
  return pattern.test(fields[field] ?? "") !== negated;
}

function wildcard(token: string): RegExp {
  const literal = unquoted(token).replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("*", ".*")}$`, "is");
}

function unquoted(token: string): string {
  return token.startsWith('"') ? token.slice(1, -1) : token;
}

function sort<T>(
  entities: T[],
  { field, descending }: { readonly field: string; readonly descending: boolean },
  fieldsOf: (entity: T) => SearchFields,
): void {
  const key = (entity: T): string => fieldsOf(entity)[field] ?? "";
  entities.sort((a, b) => key(a).localeCompare(key(b)) * (descending ? -1 : 1));
}
