import { expect, test } from "vitest";

import { vmIdOf } from "./support/backup-steps.ts";
import { withLab, type LabFixture } from "./support/lab-fixture.ts";

test("a tag is made, given to a machine by name or id, taken from it, renamed and removed", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const own = `/vms/${vmIdOf(fixture)}/tags`;
    const made = await client.post("/tags", "<tag><name>nightly</name><description>at 2</description></tag>");
    expect([made.status, made.xml.text("name"), made.xml.text("description")]).toEqual([201, "nightly", "at 2"]);
    const second = await client.post("/tags", "<tag><name>weekly</name><parent><name>nightly</name></parent></tag>");
    expect(second.xml.child("parent")?.attribute("id")).toBe(made.xml.attribute("id"));
    expect((await client.post(own, "<tag><name>nightly</name></tag>")).status).toBe(201);
    expect((await client.post(own, `<tag id="${second.xml.attribute("id")}"/>`)).status).toBe(201);
    expect((await client.post(own, "<tag><name>nightly</name></tag>")).status).toBe(201);
    expect(await namesAt(fixture, own)).toEqual(["nightly", "weekly"]);
    const renamed = await client.call("PUT", `/tags/${made.xml.attribute("id")}`, "<tag><name>daily</name></tag>");
    expect([renamed.status, renamed.xml.text("description")]).toEqual([200, "at 2"]);
    expect(await namesAt(fixture, own)).toEqual(["daily", "weekly"]);
    expect((await client.delete(`${own}/${second.xml.attribute("id")}`)).status).toBe(200);
    expect(await namesAt(fixture, own)).toEqual(["daily"]);
    expect((await client.delete(`/tags/${made.xml.attribute("id")}`)).status).toBe(200);
    expect(await namesAt(fixture, own)).toEqual([]);
    expect(await namesAt(fixture, "/tags")).toEqual(["root"]);
  });
});

test("what the engine allows of no tag is refused, and nothing has changed", async () => {
  await withLab({ vms: [{ name: "web", images: [], tags: ["front"] }] }, async (fixture) => {
    const { client } = fixture;
    const own = `/vms/${vmIdOf(fixture)}/tags`;
    const id = (await client.get(own)).xml.child("tag")?.attribute("id");
    const root = (await client.get("/tags")).xml.children("tag").find((tag) => tag.text("name") === "root");
    await refused(400, client.post("/tags", "<tag/>"));
    await refused(400, client.post("/tags", "<tag><name>two words</name></tag>"));
    await refused(400, client.post("/tags", `<tag><name>${"x".repeat(51)}</name></tag>`));
    await refused(409, client.post("/tags", "<tag><name>front</name></tag>"));
    await refused(404, client.post(own, "<tag><name>back</name></tag>"));
    await refused(404, client.delete(`${own}/${root?.attribute("id")}`));
    await refused(400, client.delete(`/tags/${root?.attribute("id")}`));
    await refused(400, client.call("PUT", `/tags/${id}`, `<tag><parent id="${id}"/></tag>`));
    expect(await namesAt(fixture, own)).toEqual(["front"]);
    expect(await namesAt(fixture, "/tags")).toEqual(["front", "root"]);
  });
});

async function refused(status: number, call: Promise<{ readonly status: number }>): Promise<void> {
  expect((await call).status).toBe(status);
}

async function namesAt({ client }: LabFixture, path: string): Promise<readonly (string | undefined)[]> {
  return (await client.get(path)).xml.children("tag").map((tag) => tag.text("name"));
}
