export { ExportDomainError, ExportFailedError, StagingError, StagingOwnerError } from "./errors.ts";
export { optionsSchema, type ExportDomainOptions } from "./options.ts";
export * from "./staging/index.ts";
