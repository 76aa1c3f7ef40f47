import type { CreatedRepository } from "@ovault/operations";

/** What a destination is after it was set up: `new encrypted repository`. */
export function placeText({ content, created, encryption }: CreatedRepository): string {
  const what = content === "images" ? "place for whole images" : "repository";
  return `${created ? "new" : "existing"} ${encryption === undefined ? "" : "encrypted "}${what}`;
}
