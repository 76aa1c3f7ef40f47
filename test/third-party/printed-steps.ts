import { readFile } from "node:fs/promises";

/** The commands that a page shows in one block, which is the first that has this text. */
export async function printedSteps(page: string, text: string): Promise<string> {
  const printed = await readFile(new URL(`../../${page}`, import.meta.url), "utf8");
  const blocks = printed.match(/(?:^ {4}.*\n)+/gm) ?? [];
  const block = blocks.find((one) => one.includes(text));
  if (block === undefined) throw new Error(`${page} shows no command with ${text}`);
  return block.replaceAll(/^ {4}/gm, "");
}
