import { readFile } from "node:fs/promises";

import { expect, test, vi } from "vitest";

import { ModelSite } from "./support/model-site.ts";
import { backUp, openCurrent } from "./support/readme-example.ts";

const read = async (path: string): Promise<string> => await readFile(new URL(path, import.meta.url), "utf8");

test("the example in the README compiles and runs", async () => {
  const [, printed] = /```ts\n([\s\S]*?)```/.exec(await read("../README.md")) ?? [];
  expect(printed).toBe(await read("./support/readme-example.ts"));
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await using site = await ModelSite.open();
  const { configFile, signal } = site.context;
  await using current = await openCurrent(configFile, signal);
  await current.reload();
  expect(await backUp(current, "web01", signal)).toMatchObject([{ vm: { name: "web01" }, error: null }]);
  const events = write.mock.calls.map(([line]) => JSON.parse(String(line)));
  write.mockRestore();
  expect(events.at(0)).toMatchObject({ kind: "started" });
  expect(events.at(-1)).toMatchObject({ kind: "finished" });
});
