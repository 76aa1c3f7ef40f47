import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { afterAll, describe, expect, test } from "vitest";

import type { SftpSettings } from "@ovault/destination-sftp";
import { listed, tally } from "@ovault/testkit";
import { run } from "@ovault/test-support/commands";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

import { openStore } from "./support/open-store.ts";
import { sftpSettings } from "./support/sftp-settings.ts";

const KILLS = 3;
const ROUNDS = 60;

const server = await OpenSshServer.start();
afterAll(() => server.stop());

async function fileOf(settings: SftpSettings): Promise<string> {
  const file = join(await temporaryDirectory(), "settings.json");
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  return file;
}

function program(name: string): string {
  return fileURLToPath(new URL(`./support/${name}`, import.meta.url));
}

describe("several processes on one directory of a server", () => {
  test("never both win a put-if-absent, and end by themselves without closing their stores", async () => {
    const directory = await server.newDirectory();
    const settings = await fileOf(await sftpSettings(server, directory));
    const rivals = ["ann", "bob"];
    const outputs = await Promise.all(
      rivals.map((name) => run(process.execPath, [program("racing-writer.ts"), settings, name, `${ROUNDS}`])),
    );
    const answers = outputs.map((output) => output.split("\n"));
    for (let round = 0; round < ROUNDS; round++) {
      const winners = rivals.filter((_, i) => answers[i]?.[round] === "stored");
      expect(winners, `round ${round}`).toEqual([await readFile(join(directory, "race", `${round}`), "utf8")]);
    }
  });

  test("leave whole objects only when they are killed, and all that were answered", async () => {
    const settings = await sftpSettings(server, await server.newDirectory());
    const file = await fileOf(settings);
    const answered: string[] = [];
    for (let round = 0; round < KILLS; round++) {
      const child = spawn(process.execPath, [program("endless-writer.ts"), file, `${round}`], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const lines = createInterface({ input: child.stdout });
      for await (const line of lines) {
        answered.push(line);
        if (answered.length === (round + 1) * 20) child.kill("SIGKILL");
      }
      if (child.signalCode === null) await once(child, "exit");
      expect(child.signalCode).toBe("SIGKILL");
      tally("kills");
    }
    const store = await openStore(settings);
    const objects = await listed(store);
    expect(objects.filter(({ key, bytes }) => !key.endsWith(`.${bytes}`))).toEqual([]);
    const keys = new Set(objects.map((info) => info.key));
    expect(answered.filter((key) => !keys.has(key))).toEqual([]);
  });
});
