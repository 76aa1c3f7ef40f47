type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** JSON spaced as the daemon's Python writes it, so that bodies and their lengths are those of a real one. */
export function pythonJson(value: Json): string {
  if (value === null || typeof value !== "object") return asciiJson(value);
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, member]: [string, Json]) => `${asciiJson(key)}: ${pythonJson(member)}`)
    .join(", ")}}`;
}

/** The `repr()` of a value from a request, for error texts. */
export function pythonRepr(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null ? "None" : String(value);
}

function asciiJson(value: string | number | boolean | null): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
