/** Values that survive JSON unchanged; manifests, markers and ledger entries hold no others. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };
