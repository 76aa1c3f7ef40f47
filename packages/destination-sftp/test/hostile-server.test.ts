import * as fc from "fast-check";
import ssh2, { type SFTPWrapper } from "ssh2";
import { describe, expect, onTestFinished, test } from "vitest";

import { hasCode, StoreError } from "@ovault/contract";
import { SftpStore } from "@ovault/destination-sftp";
import { keysOf, listed } from "@ovault/testkit";
import { until } from "@ovault/test-support/until";

import { openStore } from "./support/open-store.ts";
import { startPlainServer } from "./support/plain-sftp-server.ts";
import { attributes, fileEntry, type SftpRequest } from "./support/plain-session.ts";

const { STATUS_CODE } = ssh2.utils.sftp;
const signal = new AbortController().signal;
const REFUSED = { code: "E_STORE", retry: "never" };

const BAD_NAMES = ["..", ".", "", "/", "../up", "/etc/passwd", "a/b", "a\0b", "A", "a b", "ä", "x".repeat(201)];

type Answer = (request: SftpRequest, session: SFTPWrapper) => boolean;

type Reply = readonly [string, ((id: number, session: SFTPWrapper) => void) | undefined];

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function isStoreError(error: unknown): boolean {
  return error instanceof StoreError || hasCode(error, "E_INTEGRITY");
}

const honest: Answer = () => false;

/** A server that is honest until `misbehave` is called. */
async function honestAtFirst(): Promise<{
  store: SftpStore;
  directory: string;
  requests: SftpRequest[];
  misbehave(answer: Answer): void;
}> {
  let answer = honest;
  const requests: SftpRequest[] = [];
  const server = await startPlainServer({
    answer(request, session) {
      requests.push(request);
      return answer(request, session);
    },
  });
  onTestFinished(server.stop);
  return {
    store: await openStore(server.settings),
    directory: server.directory,
    requests,
    misbehave: (chosen) => (answer = chosen),
  };
}

/** Answers requests of these types only. */
function to(types: string | readonly string[], answer: (request: SftpRequest, session: SFTPWrapper) => void): Answer {
  return (request, session) => {
    if (![types].flat().includes(request.type)) return false;
    answer(request, session);
    return true;
  };
}

/** Lists the root with these entries. */
function listing(...entries: readonly ReturnType<typeof fileEntry>[]): Answer {
  let left = [...entries];
  return to("READDIR", ({ id }, session) => {
    if (left.length === 0) session.status(id, STATUS_CODE.EOF);
    else session.name(id, left);
    left = [];
  });
}

describe("a server that lies about what it has", () => {
  test("leads no call out of the directory by names, and passes nothing off as an object", async () => {
    const { store, directory, requests, misbehave } = await honestAtFirst();
    const folder = attributes({ mode: 0o040700 });
    const link = attributes({ mode: 0o120777, size: 5 });
    requests.length = 0;
    misbehave(
      listing(
        ...BAD_NAMES.map((name) => fileEntry(name)),
        ...BAD_NAMES.map((name) => fileEntry(name, folder)),
        fileEntry("link", link),
        fileEntry("device", attributes({ mode: 0o060600 })),
        fileEntry("good", attributes({ size: 3 })),
      ),
    );
    expect(await listed(store)).toEqual([{ key: "good", bytes: 3 }]);
    expect(requests.filter(({ type, path }) => type !== "CLOSE" && path !== directory)).toEqual([]);
  });

  test("is refused when a name comes twice", async () => {
    const { store, misbehave } = await honestAtFirst();
    misbehave(listing(fileEntry("a"), fileEntry("b"), fileEntry("a")));
    await expect(listed(store)).rejects.toMatchObject(REFUSED);
  });

  test.each([2 ** 53, 2 ** 63, 2 ** 64 - 4096])("is refused when a file has %d bytes", async (size) => {
    const { store, misbehave } = await honestAtFirst();
    await store.put("a", [Buffer.from("x")], { ifAbsent: true, signal });
    const absurd = attributes({ size });
    const told = to(["LSTAT", "FSTAT"], ({ id }, session) => session.attrs(id, absurd));
    misbehave(told);
    await expect(store.stat("a", { signal })).rejects.toMatchObject(REFUSED);
    await expect(store.get("a", { signal })).rejects.toMatchObject(REFUSED);
    const lists = listing(fileEntry("a", absurd));
    misbehave(lists);
    // The file itself is asked, and tells better.
    expect(await listed(store)).toEqual([{ key: "a", bytes: 1 }]);
  });

  test("is found out when a file has less than it tells, or answers reads with nothing or too much", async () => {
    const { store, misbehave } = await honestAtFirst();
    await store.put("a", [Buffer.alloc(1000)], { ifAbsent: true, signal });
    const get = () => store.get("a", { signal });
    const integrity = { code: "E_INTEGRITY" };
    misbehave(to("FSTAT", ({ id }, session) => session.attrs(id, attributes({ size: 100_000_000 }))));
    await expect(get()).rejects.toMatchObject(integrity);
    misbehave(to("READ", ({ id }, session) => session.data(id, Buffer.alloc(0))));
    await expect(get()).rejects.toMatchObject(integrity);
    misbehave(to("READ", ({ id }, session) => session.status(id, STATUS_CODE.OK)));
    await expect(get()).rejects.toMatchObject(integrity);
    misbehave(to("READ", ({ id }, session) => session.data(id, Buffer.alloc(20_000, 7))));
    expect(Buffer.alloc(1000, 7).equals(await get())).toBe(true);
  });

  test.each([
    ["names", (id: number, session: SFTPWrapper) => session.name(id, Array(2000).fill(fileEntry("name")))],
    ["nothing", (id: number, session: SFTPWrapper) => session.name(id, [])],
  ])("is refused when a listing never ends, of %s", async (_, answer) => {
    const { store, misbehave } = await honestAtFirst();
    misbehave(to("READDIR", ({ id }, session) => answer(id, session)));
    await expect(listed(store)).rejects.toMatchObject({ ...REFUSED, context: { limit: 250_000 } });
  });

  test("comes to an end, though there are directories in directories for ever", async () => {
    const { store, misbehave } = await honestAtFirst();
    const folder = attributes({ mode: 0o040700 });
    let fresh = true;
    let opened = 0;
    misbehave(({ type, id }, session) => {
      if (type === "OPENDIR") {
        fresh = true;
        opened += 1;
        session.handle(id, Buffer.alloc(4));
      } else if (type === "READDIR" && fresh) {
        fresh = false;
        session.name(id, [fileEntry("x".repeat(50), folder)]);
      } else if (type === "READDIR") {
        session.status(id, STATUS_CODE.EOF);
      } else if (type === "LSTAT") {
        session.attrs(id, folder);
      } else {
        return false;
      }
      return true;
    });
    expect(await keysOf(store)).toEqual([]);
    expect(opened).toBe(11);
  });
});

const answers = fc.oneof(
  fc.nat(31).map((code): Reply => ["status", (id, session) => session.status(id, Math.min(code, 8))]),
  fc.constant<Reply>(["handle", (id, session) => session.handle(id, Buffer.alloc(4))]),
  fc.nat(40_000).map((size): Reply => ["data", (id, session) => session.data(id, Buffer.alloc(size))]),
  fc.nat(3).map((count): Reply => ["name", (id, session) => session.name(id, Array(count).fill(fileEntry("name")))]),
  fc.nat().map((mode): Reply => ["attrs", (id, session) => session.attrs(id, attributes({ mode, size: mode }))]),
  fc.constant<Reply>(["honest", undefined]),
);

describe("a server that answers anything to anything", () => {
  test("makes calls fail with the errors of a store, and nothing else", async () => {
    const { store, misbehave } = await honestAtFirst();
    await store.put("a", [Buffer.from("x")], { ifAbsent: true, signal });
    const calls = [
      () => store.put("b", [Buffer.alloc(70_000)], { ifAbsent: true, signal }),
      () => store.put("c/d", [], { ifAbsent: false, signal }),
      () => store.get("a", { signal }),
      () => store.stat("a", { signal }),
      () => listed(store),
      () => store.delete("a", { signal }),
    ];
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(answers), async (stream) => {
        misbehave(({ id }, session) => {
          const [, reply] = stream.next().value;
          reply?.(id, session);
          return reply !== undefined;
        });
        for (const call of calls) {
          const failure = await failureOf(call());
          expect(failure).toSatisfy((error) => error === undefined || isStoreError(error));
        }
      }),
      { numRuns: 60 },
    );
    misbehave(honest);
    expect(await store.put("afterwards", [], { ifAbsent: false, signal })).toBe("stored");
  });

  test("or speaks something else than SFTP, is an error and not the end of the process", async () => {
    const motd = Buffer.from("Welcome to the machine! There is mail for you.\r\n");
    for (const subsystem of [motd, Buffer.alloc(64, 0xff), Buffer.alloc(64)]) {
      const server = await startPlainServer({ subsystem });
      onTestFinished(server.stop);
      const failure = await failureOf(SftpStore.open(server.settings, signal));
      expect(failure).toSatisfy(isStoreError);
    }
  });
});

describe("a server that does not answer", () => {
  test("costs a call no more than the time that the options tell", async () => {
    const server = await startPlainServer({ answer: ({ type }) => type === "LSTAT" });
    onTestFinished(server.stop);
    const open = SftpStore.open({ ...server.settings, timeoutMs: 1000 }, signal);
    await expect(open).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE", retry: "transient" });
  });

  test("in the moment in which an object gets its name holds an abort up, but not for ever", async () => {
    const { store, requests, misbehave } = await honestAtFirst();
    const controller = new AbortController();
    const reason = new Error("enough");
    misbehave(({ type }) => type === "RENAME");
    const put = failureOf(store.put("a", [], { ifAbsent: true, signal: controller.signal }));
    await until("the draft is renamed", () => requests.some(({ type }) => type === "RENAME"));
    controller.abort(reason);
    expect(await put).toBe(reason);
  });
});
