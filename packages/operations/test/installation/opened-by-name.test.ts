import { expect, test } from "vitest";

import { OpenedByName } from "@ovault/operations/internal/installation/opened-by-name";

import { ModelSite } from "../support/model-site.ts";

async function refuse(): Promise<never> {
  throw new Error("no route");
}

function counted() {
  const opened = new OpenedByName<{ close(): Promise<void> }>();
  const counts = { open: 0, close: 0 };
  const open = async () => {
    counts.open += 1;
    await Promise.resolve();
    return { close: async () => void (counts.close += 1) };
  };
  return { opened, counts, open };
}

test("callers at the same time share one opening", async () => {
  const { opened, counts, open } = counted();
  const [first, second, other] = await Promise.all(["a", "a", "b"].map((name) => opened.get(name, open)));
  expect(first).toBe(second);
  expect(first).not.toBe(other);
  await opened.close();
  expect(counts).toEqual({ open: 2, close: 2 });
});

test("an opening that failed is tried again by the next caller, and leaves nothing to close", async () => {
  const { opened, counts, open } = counted();
  const failed = await Promise.allSettled([opened.get("a", refuse), opened.get("a", refuse)]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const retried = opened.get("a", open);
  await opened.close();
  await retried;
  expect(counts).toEqual({ open: 1, close: 1 });
});

test("jobs that begin together share one connection to a manager and one repository", async () => {
  await using site = await ModelSite.open();
  await using installation = await site.installation();
  const managers = await Promise.all([installation.manager(), installation.manager("site")]);
  const repositories = await Promise.all([installation.repository(), installation.repository("nas")]);
  expect(managers[0]).toBe(managers[1]);
  expect(repositories[0]).toBe(repositories[1]);
});
