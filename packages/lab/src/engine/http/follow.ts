import { isXmlObject, valuesOf, type XmlDocument, type XmlObject, type XmlValue } from "../xml/xml-value.ts";

/** Answers a GET of the same API. */
export type Fetch = (href: string) => Promise<XmlDocument | undefined>;

/**
 * The `follow` parameter: replaces links by their targets. `disk_attachments.disk,nics` names paths of elements; a
 * link's `rel` has no underscores. A link that cannot be followed stays as it is.
 */
export async function followLinks(document: XmlDocument, follow: string, fetch: Fetch): Promise<XmlDocument> {
  const paths = follow.split(",").map((path) => path.trim().split("."));
  let content = document.content;
  for (const path of paths) content = await followPath(content, path, fetch);
  return { root: document.root, content };
}

async function followPath(object: XmlObject, path: readonly string[], fetch: Fetch): Promise<XmlObject> {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  if (isCollection(object)) return mapChildren(object, (child) => followPath(child, path, fetch));
  const expanded = await expand(object, name, fetch);
  const value = expanded[name];
  if (rest.length === 0 || value === undefined || !isXmlObject(value)) return expanded;
  return { ...expanded, [name]: await followPath(value, rest, fetch) };
}

async function expand(object: XmlObject, name: string, fetch: Fetch): Promise<XmlObject> {
  const rel = name.replaceAll("_", "");
  const links = valuesOf(object, "link");
  const link = links.find((candidate) => isXmlObject(candidate) && candidate["@rel"] === rel);
  const href = hrefOf(link) ?? hrefOf(object[name]);
  const target = href === undefined ? undefined : await fetch(href);
  if (target === undefined) return object;
  return { ...object, link: links.filter((candidate) => candidate !== link), [name]: target.content };
}

function hrefOf(value: XmlValue): string | undefined {
  const href = value !== undefined && isXmlObject(value) ? value["@href"] : undefined;
  return typeof href === "string" ? href : undefined;
}

/** `<vms>` and the like have only children. */
function isCollection(object: XmlObject): boolean {
  return object["@id"] === undefined && object["link"] === undefined;
}

async function mapChildren(object: XmlObject, change: (child: XmlObject) => Promise<XmlObject>): Promise<XmlObject> {
  const changed: Record<string, XmlValue> = {};
  for (const name of Object.keys(object)) {
    const values: XmlValue[] = [];
    for (const value of valuesOf(object, name)) values.push(isXmlObject(value) ? await change(value) : value);
    changed[name] = values;
  }
  return changed;
}
