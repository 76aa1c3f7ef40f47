import type { JobState } from "../engine-state.ts";
import type { XmlDocument, XmlObject } from "../xml/xml-value.ts";
import { API_PATH } from "./api-path.ts";

/** An answer of the API. Without a body it is empty. */
export interface ApiReply {
  readonly status: number;
  readonly body?: XmlDocument;
  /** Title of a page of HTML in place of a body: the answer of the server in front of the API. */
  readonly page?: string;
}

export function ok(root: string, content: XmlObject): ApiReply {
  return { status: 200, body: { root, content } };
}

export function created(root: string, content: XmlObject): ApiReply {
  return { status: 201, body: { root, content } };
}

export function accepted(root: string, content: XmlObject): ApiReply {
  return { status: 202, body: { root, content } };
}

/** Answer to an action: it only says that the engine accepted it. Poll the entity. */
export function actionDone(job?: JobState): ApiReply {
  return ok("action", { ...(job === undefined ? {} : { job: reference("/jobs", job.id) }), status: "complete" });
}

/** `href` and `id`: an entity's own attributes, and how others point to it. */
export function reference(collection: string, id: string): XmlObject {
  return { "@href": `${API_PATH}${collection}/${id}`, "@id": id };
}

/** `<link>` elements to what lies below an entity. */
export function linksBelow(path: string, ...names: readonly string[]): XmlObject {
  return { link: names.map((name) => ({ "@href": `${API_PATH}${path}/${name}`, "@rel": name })) };
}

/** `<actions>` of an entity. */
export function actionsOf(path: string, ...names: readonly string[]): XmlObject {
  return { actions: linksBelow(path, ...names) };
}

/** Version numbers in the engine's four elements. */
export function versionContent(version: {
  readonly major: number;
  readonly minor: number;
  readonly build?: number;
  readonly revision?: number;
  readonly full?: string;
}): XmlObject {
  return {
    build: version.build,
    full_version: version.full,
    major: version.major,
    minor: version.minor,
    revision: version.revision,
  };
}
