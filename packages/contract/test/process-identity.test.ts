import { spawn } from "node:child_process";
import { once } from "node:events";

import { describe, expect, test } from "vitest";

import { type ProcessIdentity, processIdentity, processState } from "@ovault/contract";

/** Who a process of its own says it is; it lives until it is killed. */
async function startOther() {
  const program = `import { processIdentity } from "@ovault/contract";
    process.stdout.write(JSON.stringify(processIdentity()));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { child, identity: JSON.parse(said.toString()) as ProcessIdentity };
}

describe("the identity of a process", () => {
  test("this process is alive", async () => {
    expect(await processState(processIdentity())).toBe("alive");
  });

  test("another process is alive until it is killed, and dead from then on", async () => {
    const { child, identity } = await startOther();
    expect(identity).toMatchObject({ ...processIdentity(), pid: child.pid, startTicks: identity.startTicks });
    expect(await processState(identity)).toBe("alive");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await processState(identity)).toBe("dead");
  });

  test("a pid that now belongs to another process is dead", async () => {
    expect(await processState({ ...processIdentity(), startTicks: 1 })).toBe("dead");
  });

  test.each([{ bootId: "another" }, { bootId: null }, { pidNamespace: "pid:[1]" }, { startTicks: null }])(
    "nothing is claimed about a process of %o",
    async (other) => {
      expect(await processState({ ...processIdentity(), ...other })).toBe("unknown");
    },
  );
});
