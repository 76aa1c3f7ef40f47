import { beforeEach, describe, expect, test } from "vitest";

import { Redactor, Repository } from "@ovault/core";
import { newPointId } from "@ovault/core/internal/points/point-id";
import { barePoint } from "@ovault/test-support/repository/bare-point";
import { MemoryStore } from "@ovault/testkit";
import { findPoint, pointsOf } from "@ovault/operations/internal/select/find-point";
import { selectToCopy } from "@ovault/operations/internal/select/select-to-copy";

import { machineTitles } from "../src/output/machine-titles.ts";
import { Terminal } from "../src/output/terminal.ts";

const { signal } = new AbortController();

let repository: Repository;
let complaints: string[];
let context: Parameters<typeof findPoint>[2];

beforeEach(async () => {
  repository = await Repository.create(new MemoryStore(), { signal });
  complaints = [];
  const streams = { out: { write: () => true }, err: { write: (text: string) => complaints.push(text) } };
  context = { signal, reporter: new Terminal(streams, new Redactor(), { quiet: false }) };
});

interface Draft {
  readonly manager: string;
  readonly id: string;
  readonly name?: string;
  readonly takenAt?: string;
  /** As a release chose it whose ids are not in order. */
  readonly dated?: boolean;
}

async function seal({ manager, id, name = "web", takenAt = "2026-01-01T00:00:00.000Z", dated = false }: Draft) {
  const at = new Date(takenAt);
  const point = barePoint(
    { manager, id, name },
    {
      id: dated ? newPointId(at, "").slice(0, -1) : await repository.points.nextId({ manager, id }, at, signal),
      takenAt: at,
      blockBytes: repository.settings.blockBytes,
    },
  );
  await repository.points.seal(point, signal);
  return point.id;
}

async function found(wanted: string, meant: Parameters<typeof findPoint>[3] = {}): Promise<string> {
  return (await findPoint(repository, wanted, context, meant)).id;
}

describe("a name that several machines have", () => {
  test("is refused with manager and id of each, unless it is said whose is meant", async () => {
    const [prod, other] = [await seal({ manager: "prod", id: "id-1" }), await seal({ manager: "test", id: "id-2" })];
    await expect(found("web@latest")).rejects.toMatchObject({
      code: "E_USAGE",
      message: `"web" means 2 virtual machines: id-1 of prod, id-2 of test`,
      hint: expect.stringContaining("`manager`"),
    });
    expect(await found("web@latest", { manager: "prod" })).toBe(prod);
    expect(await found("web@latest", { rather: "test" })).toBe(other);
    expect(await found("id-1@latest")).toBe(prod);
    await expect(found("web@latest", { rather: "dr" })).rejects.toMatchObject({ code: "E_USAGE" });
    await expect(found("web@latest", { manager: "dr" })).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  });

  test("of one manager must be given by id", async () => {
    const [first] = [await seal({ manager: "prod", id: "id-1" }), await seal({ manager: "prod", id: "id-2" })];
    await expect(found("web@latest", { manager: "prod" })).rejects.toMatchObject({
      code: "E_USAGE",
      hint: expect.stringContaining("id"),
    });
    expect(await found("id-1@latest")).toBe(first);
  });

  test("is refused for a machine id that two managers have", async () => {
    const [prod] = [await seal({ manager: "prod", id: "erp" }), await seal({ manager: "dr", id: "erp" })];
    await expect(found("erp@latest")).rejects.toThrow("erp of dr, erp of prod");
    expect(await found("erp@latest", { manager: "prod" })).toBe(prod);
    const { points } = await repository.points.list(signal);
    expect(() => pointsOf(points, "erp")).toThrow("means 2 virtual machines");
    expect(pointsOf(points, "erp", { manager: "prod" }).map(({ id }) => id)).toEqual([prod]);
  });
});

test("a machine that only one manager has is found whatever manager is preferred", async () => {
  const prod = await seal({ manager: "prod", id: "id-1" });
  expect(await found("web@latest", { rather: "dr" })).toBe(prod);
});

test("a machine keeps all its points when it was renamed", async () => {
  const ids = [await seal({ manager: "prod", id: "id-1" }), await seal({ manager: "prod", id: "id-1", name: "www" })];
  const { points } = await repository.points.list(signal);
  expect(pointsOf(points, "web").map(({ id }) => id)).toEqual(ids);
  expect(await found("web@latest")).toBe(ids[1]);
});

test("a point that is named must be of the manager that is named with it", async () => {
  const prod = await seal({ manager: "prod", id: "id-1" });
  expect(await found(prod, { manager: "prod" })).toBe(prod);
  await expect(found(prod, { manager: "dr" })).rejects.toMatchObject({ code: "E_NOT_FOUND" });
});

test("the latest point is the one that was sealed last, and a warning says when that is in doubt", async () => {
  await seal({ manager: "prod", id: "id-1", takenAt: "2036-01-01T00:00:00.000Z" });
  const right = await seal({ manager: "prod", id: "id-1", takenAt: "2026-01-01T00:00:00.000Z" });
  expect(await found("web@latest")).toBe(right);
  expect(complaints).toEqual([]);
  await seal({ manager: "dr", id: "id-2", name: "db", dated: true });
  const future = await seal({
    manager: "dr",
    id: "id-2",
    name: "db",
    takenAt: "2036-01-01T00:00:00.000Z",
    dated: true,
  });
  expect(await found("db@latest")).toBe(future);
  expect(complaints).toEqual([expect.stringContaining("it is not certain that it is the newest")]);
});

test("only what is newer than what a destination has of the machine is copied, whatever the dates", async () => {
  const from = repository;
  // Older than what the destination has, though it does not have it.
  await seal({ manager: "prod", id: "erp", takenAt: "2026-01-03T00:00:00.000Z" });
  const [ahead, right] = [
    await seal({ manager: "prod", id: "erp", takenAt: "2036-01-01T00:00:00.000Z" }),
    await seal({ manager: "prod", id: "erp", takenAt: "2026-01-01T00:00:00.000Z" }),
  ];
  const other = await seal({ manager: "dr", id: "erp", takenAt: "2026-01-02T00:00:00.000Z" });
  const to = await Repository.create(new MemoryStore(), { signal });
  await to.points.seal(await from.points.find(ahead, signal), signal);
  const wanted = { names: [], vms: [], newer: true };
  const { points } = await selectToCopy({ from, to }, wanted, context);
  expect(points.map(({ id }) => id).toSorted()).toEqual([right, other].toSorted());
  const ofProd = await selectToCopy({ from, to }, { ...wanted, manager: "prod" }, context);
  expect(ofProd.points.map(({ id }) => id)).toEqual([right]);
});

test("tables name machines by manager and id where several have one name", () => {
  const [web, other, db] = [
    { manager: "prod", id: "1", name: "web" },
    { manager: "test", id: "2", name: "web" },
    { manager: "prod", id: "3", name: "db" },
  ];
  expect([web, web, other, db].map(machineTitles([web, web, other, db]))).toEqual([
    "web (1 of prod)",
    "web (1 of prod)",
    "web (2 of test)",
    "db",
  ]);
});
