/** What survives JSON unchanged: the only kind of value that manifests, markers and ledger entries hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };
