import type { EngineApi } from "../engine-api.ts";
import { incomplete, notFound } from "../engine-fault.ts";
import type { TagState, VmState } from "../engine-state.ts";
import { actionDone, created, ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import { BLANK_ID, findNamed } from "../inventory.ts";
import type { TagRequest } from "../operations/tag-operations.ts";
import type { XmlNode } from "../xml/read-xml.ts";
import { requireKept } from "../xml/require-kept.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** `/tags`, and the tags of each machine. */
export function tagRoutes({ core, tags }: EngineApi): readonly Route[] {
  const readTag = (body: XmlNode): TagRequest => {
    requireKept(body, ["description", "name", "parent"], "a tag");
    const parent = body.child("parent") === undefined ? undefined : findNamed(tags.list(), "Tag", body, "parent");
    return { name: body.text("name"), description: body.exactText("description"), parentId: parent?.id };
  };
  const carriedBy = (vm: VmState, id: string): TagState => {
    const tag = tags.of(vm).find((one) => one.id === id);
    if (tag === undefined) throw notFound();
    return tag;
  };
  const vmOf = (request: ApiRequest): VmState => core.vm(request.param("vm"));
  return [
    get("/tags", () => ok("tags", { tag: tags.list().map((tag) => tagContent(tag)) })),
    post("/tags", (request) => {
      const tag = readTag(request.body);
      if (tag.name === undefined) throw incomplete("Tag", "name");
      return created("tag", tagContent(tags.create(tag)));
    }),
    get("/tags/:tag", (request) => ok("tag", tagContent(tags.get(request.param("tag"))))),
    put("/tags/:tag", (request) => ok("tag", tagContent(tags.update(request.param("tag"), readTag(request.body))))),
    remove("/tags/:tag", (request) => {
      tags.remove(request.param("tag"));
      return actionDone();
    }),
    get("/vms/:vm/tags", (request) => {
      const vm = vmOf(request);
      return ok("tags", { tag: tags.of(vm).map((tag) => tagContent(tag, vm)) });
    }),
    post("/vms/:vm/tags", (request) => {
      const vm = vmOf(request);
      const { body } = request;
      const [id, name] = [body.attribute("id"), body.text("name")];
      if (id === undefined && name === undefined) throw incomplete("Tag", "id|name");
      const tag = id === undefined ? tags.named(name ?? "") : tags.get(id);
      tags.attach(vm, tag);
      return created("tag", tagContent(tag, vm));
    }),
    get("/vms/:vm/tags/:tag", (request) => {
      const vm = vmOf(request);
      return ok("tag", tagContent(carriedBy(vm, request.param("tag")), vm));
    }),
    remove("/vms/:vm/tags/:tag", (request) => {
      tags.detach(vmOf(request), request.param("tag"));
      return actionDone();
    }),
  ];
}

function tagContent({ id, name, description, parentId }: TagState, vm?: VmState): XmlObject {
  return {
    ...reference(vm === undefined ? "/tags" : `/vms/${vm.id}/tags`, id),
    name,
    description,
    parent: id === BLANK_ID ? undefined : reference("/tags", parentId ?? BLANK_ID),
    vm: vm === undefined ? undefined : reference("/vms", vm.id),
  };
}
