import { randomUUID } from "node:crypto";

import type { EngineCore } from "../engine-core.ts";
import { badRequest, conflict, notFound, unknownEntity } from "../engine-fault.ts";
import type { TagState, VmState } from "../engine-state.ts";
import { BLANK_ID } from "../inventory.ts";

/** Body of POST and PUT of a tag; an absent field stays as it is. */
export interface TagRequest {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly parentId?: string | undefined;
}

const NAME_PATTERN = /^[\p{L}0-9._-]*$/u;
const MAX_NAME = 50;
/** The permanent root above all others. */
const root: TagState = { id: BLANK_ID, name: "root", description: "root" };

/** Tags, and the machines that carry them. */
export class TagOperations {
  readonly #core: EngineCore;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  list(): readonly TagState[] {
    return [...this.#core.state.tags, root];
  }

  /** @throws EngineFault 404 */
  get(id: string): TagState {
    const tag = this.list().find((candidate) => candidate.id === id);
    if (tag === undefined) throw notFound();
    return tag;
  }

  /** @throws EngineFault 404 with the name, as for every entity that a request names */
  named(name: string): TagState {
    const tag = this.list().find((candidate) => candidate.name === name);
    if (tag === undefined) throw unknownEntity(name);
    return tag;
  }

  create({ name = "", description = "", parentId }: TagRequest): TagState {
    this.#requireFreeName(name);
    const tag: TagState = { id: randomUUID(), name, description, ...(parentId !== undefined && { parentId }) };
    this.#core.state.tags.push(tag);
    this.#core.store.changed();
    return tag;
  }

  update(id: string, { name, description, parentId }: TagRequest): TagState {
    const tag = this.get(id);
    if (tag === root) throw badRequest("Cannot edit readonly tag");
    if (name !== undefined && name !== tag.name) this.#requireFreeName(name);
    if (parentId !== undefined && this.#familyOf(tag).has(parentId)) {
      throw badRequest("Operation canceled, recursive Tag hierarchy cannot be defined.");
    }
    tag.name = name ?? tag.name;
    tag.description = description ?? tag.description;
    if (parentId !== undefined) tag.parentId = parentId;
    this.#core.store.changed();
    return tag;
  }

  /** Removes a tag and those below it, from all machines too. */
  remove(id: string): void {
    const tag = this.get(id);
    if (tag === root) throw badRequest("Cannot edit readonly tag");
    const { tags, vms } = this.#core.state;
    const family = this.#familyOf(tag);
    tags.splice(0, tags.length, ...tags.filter((other) => !family.has(other.id)));
    for (const vm of Object.values(vms)) vm.tagIds = vm.tagIds.filter((tagId) => !family.has(tagId));
    this.#core.store.changed();
  }

  of(vm: VmState): readonly TagState[] {
    return vm.tagIds.map((id) => this.get(id));
  }

  /** A machine's tags with all their ancestors: a search for a tag also finds machines with one below it. */
  withAncestors(vm: VmState): readonly TagState[] {
    return this.list().filter((tag) => this.of(vm).some(({ id }) => this.#familyOf(tag).has(id)));
  }

  /** Does nothing if the tag is attached already. */
  attach(vm: VmState, tag: TagState): void {
    vm.tagIds = [...new Set([...vm.tagIds, tag.id])];
    this.#core.store.changed();
  }

  /** @throws EngineFault 404 when the machine does not carry it */
  detach(vm: VmState, tagId: string): void {
    if (!vm.tagIds.includes(tagId)) throw notFound();
    vm.tagIds = vm.tagIds.filter((id) => id !== tagId);
    this.#core.store.changed();
  }

  /** Ids of the tags of these names; makes missing ones. */
  idsOf(names: readonly string[]): readonly string[] {
    return names.map((name) => (this.list().find((tag) => tag.name === name) ?? this.create({ name })).id);
  }

  #requireFreeName(name: string): void {
    if (name.length < 1 || name.length > MAX_NAME) throw badRequest(`size must be between 1 and ${MAX_NAME}`);
    if (!NAME_PATTERN.test(name)) {
      throw badRequest("Invalid tag name. Only letters, numbers, '-', and '_' are valid characters.");
    }
    if (this.list().some((tag) => tag.name === name)) throw conflict("The specified Tag name already exists.");
  }

  /** A tag and all below it. */
  #familyOf(tag: TagState): ReadonlySet<string> {
    const family = new Set([tag.id]);
    for (let size = 0; size < family.size;) {
      size = family.size;
      for (const { id, parentId } of this.#core.state.tags) {
        if (parentId !== undefined && family.has(parentId)) family.add(id);
      }
    }
    return family;
  }
}
