export type { Authentication } from "./authentication.ts";
export * from "./connect-ssh.ts";
export * from "./errors.ts";
export * from "./server-options.ts";
export * from "./server-settings.ts";
export * from "./ssh-server.ts";
