import { availableParallelism } from "node:os";

import { expect, test } from "vitest";

import { OvaultError } from "@ovault/contract";

import { WorkerPool } from "../../src/blocks/workers/worker-pool.ts";
import type { PoolJob } from "./support/pool-program.ts";

const program = new URL("support/pool-program.ts", import.meta.url);

const codeOf = (error: unknown): string => (error instanceof OvaultError ? error.code : String(error));

const settle = (pool: WorkerPool<PoolJob>, jobs: readonly PoolJob[]) =>
  Promise.allSettled(jobs.map((job) => pool.run(job, [])));

/** Threads that keep this process alive, and whatever else does so by a message port. */
const portsAtWork = () => process.getActiveResourcesInfo().filter((resource) => resource === "MessagePort").length;

test("every job gets its own answer, however many there are", async () => {
  const pool = new WorkerPool<PoolJob>(program);
  const answers = await settle(
    pool,
    Array.from({ length: 200 }, (_, value) => ({ kind: "echo", value })),
  );
  expect(answers.map((answer) => (answer.status === "fulfilled" ? answer.value : answer.reason))).toEqual(
    Array.from({ length: 200 }, (_, value) => value),
  );
});

test("a job that fails fails alone, and errors stay what they are", async () => {
  const pool = new WorkerPool<PoolJob>(program);
  const [bad, integrity, missing, good] = await settle(pool, [
    { kind: "fail", code: undefined, hint: undefined },
    { kind: "fail", code: "E_INTEGRITY", hint: undefined },
    { kind: "fail", code: "E_MISSING_LIBRARY", hint: "install it" },
    { kind: "echo", value: 3 },
  ]);
  expect(bad).toMatchObject({ status: "rejected", reason: { code: "E_INTERNAL", message: "on purpose" } });
  expect(integrity).toMatchObject({ status: "rejected", reason: { code: "E_INTEGRITY", message: "on purpose" } });
  expect(missing).toMatchObject({ status: "rejected", reason: { code: "E_MISSING_LIBRARY", hint: "install it" } });
  expect(good).toMatchObject({ status: "fulfilled", value: 3 });
});

test("memory that goes along is gone here, and is there", async () => {
  const pool = new WorkerPool<PoolJob>(program);
  const bytes = Uint8Array.from([1, 2, 3]);
  expect(await pool.run({ kind: "sum", bytes }, [bytes.buffer])).toBe(6);
  expect(bytes.byteLength).toBe(0);
});

test("a thread that dies fails what it had, nothing stays unanswered, and the pool goes on", async () => {
  const pool = new WorkerPool<PoolJob>(program);
  const jobs = Array.from({ length: 60 }, (_, value): PoolJob =>
    value % 10 === 5 ? { kind: value % 20 === 5 ? "exit" : "crash" } : { kind: "echo", value },
  );
  const answers = await settle(pool, jobs);
  const outcomes = answers.map((answer) => (answer.status === "fulfilled" ? answer.value : codeOf(answer.reason)));
  for (const [value, outcome] of outcomes.entries()) expect([value, "E_WORKER"]).toContain(outcome);
  for (const value of [5, 15, 25, 35, 45, 55]) expect(outcomes[value]).toBe("E_WORKER");
  expect(await pool.run({ kind: "echo", value: 7 }, [])).toBe(7);
});

test("threads that were started ahead are those that do the first jobs", async () => {
  const [ahead, later] = [new WorkerPool<PoolJob>(program), new WorkerPool<PoolJob>(program)];
  ahead.start(2);
  ahead.start(2);
  const next = Number(await later.run({ kind: "thread" }, []));
  const both = await Promise.all([ahead.run({ kind: "thread" }, []), ahead.run({ kind: "thread" }, [])]);
  // Threads are numbered as they are started.
  expect(both.map((id) => next - Number(id))).toEqual(availableParallelism() > 1 ? [2, 1] : [1, 1]);
});

test("threads that have nothing to do keep no process alive, before their first job and after it", async () => {
  const pool = new WorkerPool<PoolJob>(program);
  const before = portsAtWork();
  pool.start(2);
  expect(portsAtWork()).toBe(before);
  const answer = pool.run({ kind: "echo", value: 1 }, []);
  expect(portsAtWork()).toBe(before + 1);
  await answer;
  expect(portsAtWork()).toBe(before);
});

test("a program that does not exist is an error, not a wait", async () => {
  const pool = new WorkerPool<PoolJob>(new URL("support/no-such-program.ts", import.meta.url));
  pool.start(1);
  await expect(pool.run({ kind: "echo", value: 1 }, [])).rejects.toMatchObject({ code: "E_WORKER" });
});

test("what no message can carry is refused, and the pool goes on", async () => {
  const pool = new WorkerPool<unknown>(program);
  await expect(pool.run({ kind: "echo", value: () => 1 }, [])).rejects.toMatchObject({ name: "DataCloneError" });
  expect(await pool.run({ kind: "echo", value: 2 }, [])).toBe(2);
});
