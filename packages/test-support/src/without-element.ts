import type { AlterAnswer } from "@ovault/lab";

/** Takes an element out of the engine's answers to requests with these paths. */
export function withoutElement(element: string, where: RegExp): AlterAnswer {
  const pattern = new RegExp(`<${element}(?: [^>]*)?(?:/>|>.*?</${element}>)`, "gs");
  return (xml, { path }) => (where.test(path) ? xml.replaceAll(pattern, "") : xml);
}
