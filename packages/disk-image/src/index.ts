export { draftsOf } from "./draft-file.ts";
export { ImageFileError, ImageFileExistsError, ImageFileFullError } from "./errors.ts";
export type { ImageFileOptions, ImageFileTarget } from "./image-file-target.ts";
export { NbdSource, type NbdSourceOptions } from "./nbd-source.ts";
export { Qcow2FileTarget } from "./qcow2-file-target.ts";
export { RawFileSource } from "./raw-file-source.ts";
export { RawFileTarget } from "./raw-file-target.ts";
export { RawStreamTarget, type RawStreamOptions } from "./raw-stream-target.ts";
