export * from "./imageio/errors.ts";
export * from "./imageio/extent-list.ts";
export * from "./imageio/imageio-client.ts";
export type { ImageioExtent } from "./imageio/parse-extents.ts";
export * from "./imageio/permits.ts";
export type { ImageioAbilities } from "./imageio/read-options.ts";
