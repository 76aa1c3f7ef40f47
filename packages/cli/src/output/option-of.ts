import type { FieldName } from "@ovault/contract";

/** Options that are not called like the field of the job. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ["configFile", "config or OVAULT_CONFIG"],
  ["vms", "vm"],
  ["excludeDisks", "exclude-disk"],
  ["networks", "network"],
  ["graceMs", "grace"],
  ["repackBudgetBytes", "repack-budget"],
]);

/** The option that stands for a field of a job: texts of errors name fields. */
export const optionOf: FieldName = (field, value) => {
  const option = OTHERS.get(field) ?? field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (value === undefined) return `--${option}`;
  return `--${option} ${typeof value === "object" ? value.join("=") : value}`;
};
