export { assertObjectLength, endsEarly, type ExactRead, notFound } from "./exact-read.ts";
export type { FileSystem } from "./file-system.ts";
export { FileTree } from "./file-tree.ts";
