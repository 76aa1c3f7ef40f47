/** Apart from the other operations: it loads the oVirt client and the NFS server, which most commands do without. */
export * from "./export-domain/export-instructions.ts";
export * from "./export-domain/list-export-domains.ts";
export * from "./export-domain/remove-export-domains.ts";
export * from "./export-domain/serve-export-domains.ts";
export * from "./export-domain/set-up-export-domains.ts";
