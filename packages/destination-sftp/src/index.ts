export type { SftpOptions } from "./options.ts";
