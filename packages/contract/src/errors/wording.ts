/** A value of a field; a pair is an entry of a record. */
export type FieldValue = string | number | readonly [key: string, value: string];

/** Writes a field of a job, with a value where the text has one, as its reader knows it. */
export type FieldName = (field: string, value?: FieldValue) => string;

/** A text for people. Where it names fields of jobs, `field` writes them. */
export type Wording = string | ((field: FieldName) => string);

/** As jobs are written: `storageDomain`, `keepDaily: 7`, `networks: { "FROM": "TO" }`. */
export const jobField: FieldName = (field, value) => {
  if (value === undefined) return `\`${field}\``;
  const written = typeof value === "object" ? `{ "${value[0]}": "${value[1]}" }` : value;
  return `\`${field}: ${written}\``;
};

export function worded(wording: Wording, field: FieldName): string {
  return typeof wording === "string" ? wording : wording(field);
}
