/** Writes a field of a job, with a value where the text has one, as its reader knows it. */
export type FieldName = (field: string, value?: string | number) => string;

/** A text for people. Where it names fields of jobs, `field` writes them. */
export type Wording = string | ((field: FieldName) => string);

/** As jobs are written: `storageDomain`, `keepDaily: 7`. */
export const jobField: FieldName = (field, value) => (value === undefined ? `\`${field}\`` : `\`${field}: ${value}\``);

export function worded(wording: Wording, field: FieldName): string {
  return typeof wording === "string" ? wording : wording(field);
}
