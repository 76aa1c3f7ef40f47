import { createHash } from "node:crypto";

import type { EngineApi } from "../engine-api.ts";
import { notFound } from "../engine-fault.ts";
import { ok, reference } from "../http/api-reply.ts";
import { get, type Route } from "../http/router.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** `/tags`, and the tags of each machine. */
export function tagRoutes({ core }: EngineApi): readonly Route[] {
  const allTags = (): readonly string[] => [...new Set(Object.values(core.state.vms).flatMap(({ tags = [] }) => tags))];
  return [
    get("/tags", () => ok("tags", { tag: allTags().map(tagContent) })),
    get("/tags/:tag", (request) => {
      const name = allTags().find((one) => idOfTag(one) === request.param("tag"));
      if (name === undefined) throw notFound();
      return ok("tag", tagContent(name));
    }),
    get("/vms/:vm/tags", (request) => {
      const { tags = [] } = core.vm(request.param("vm"));
      return ok("tags", { tag: tags.map(tagContent) });
    }),
  ];
}

function tagContent(name: string): XmlObject {
  return { ...reference("/tags", idOfTag(name)), name, description: "" };
}

/** The same for the same name. */
function idOfTag(name: string): string {
  const digest = createHash("sha256").update(name).digest("hex");
  return digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
