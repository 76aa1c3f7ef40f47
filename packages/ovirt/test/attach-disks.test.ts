import { diskStats } from "@ovault/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { EngineApi } from "../src/api/engine-api.ts";
import { attachDisks } from "../src/restore/vm/attach-disks.ts";
import { startEngine, type StartedEngine } from "./support/start-engine.ts";

const ATTACHMENTS = "/vms/v/diskattachments";
const signal = new AbortController().signal;
let engine: StartedEngine;
let server: StartedEngine["server"];
let client: StartedEngine["client"];

beforeAll(async () => {
  engine = await startEngine();
  ({ server, client } = engine);
});
beforeEach(() => {
  server.calls.length = 0;
});
afterAll(() => engine.stop());

const disks = ["root", "data"].map((alias, index) => ({
  id: `new-${alias}`,
  record: {
    disk: {
      id: `old-${alias}`,
      alias,
      index,
      logicalBytes: 512,
      format: "cow" as const,
      sparse: true,
      bootable: index === 0,
      interface: "virtio_scsi",
      attributes: { active: index === 0 },
    },
    mode: "full" as const,
    reason: "",
    blockMap: null,
    stats: diskStats(512),
  },
}));

function attached(alias: string, parts: { bootable?: boolean; active?: boolean; interface?: string } = {}): string {
  const { bootable = alias === "root", active = alias === "root", interface: connection = "virtio_scsi" } = parts;
  return (
    `<disk_attachment id="new-${alias}"><active>${active}</active><bootable>${bootable}</bootable>` +
    `<interface>${connection}</interface><disk id="new-${alias}"/></disk_attachment>`
  );
}

/** Attaches on an engine that lists the attachments so, one list for each time it is asked. */
async function attach(...lists: readonly (readonly string[])[]): Promise<readonly string[]> {
  const rest = [...lists];
  server.reply = ({ method }) => {
    if (method === "GET") return { body: `<disk_attachments>${rest.shift()?.join("") ?? ""}</disk_attachments>` };
    return method === "DELETE" ? {} : { body: attached("root") };
  };
  return await attachDisks(new EngineApi(client), "v", disks, signal);
}

/** What was changed after both disks were attached once. */
function mended(): string[] {
  const changes = server.calls.filter(({ method }) => method !== "GET");
  return changes.slice(disks.length).map(({ method, path, body }) => {
    const id = /disk id="([^"]+)"/.exec(body)?.[1];
    return `${method} ${path.replace(/\?.*/, "")}${id === undefined ? "" : ` ${id}`}`;
  });
}

test("disks that hang as they should are asked for once", async () => {
  expect(await attach([attached("data"), attached("root")])).toEqual([]);
  expect(mended()).toEqual([]);
});

test("one that the engine has lost is attached once more", async () => {
  expect(await attach([attached("root")], [attached("root"), attached("data")])).toEqual([]);
  expect(mended()).toEqual([`POST ${ATTACHMENTS} new-data`]);
});

test.each([{ bootable: false }, { active: false }, { interface: "ide" }])(
  "one with %j is attached anew",
  async (parts) => {
    const wrong = [attached("root", parts), attached("data")];
    expect(await attach(wrong, [attached("root"), attached("data")])).toEqual([]);
    expect(mended()).toEqual([`DELETE ${ATTACHMENTS}/new-root`, `POST ${ATTACHMENTS} new-root`]);
  },
);

test("what an engine insists on is reported", async () => {
  const insisted = [attached("root"), attached("data", { interface: "sata", active: true })];
  expect(await attach(insisted, insisted)).toEqual([
    "disk data hangs on the new machine otherwise than it did: sata instead of virtio_scsi, not plugged in",
  ]);
});

test("a disk that cannot be attached is an error that names it", async () => {
  await expect(attach([attached("data")], [attached("data")])).rejects.toThrow("the engine did not attach root");
});
