/**
 * XML as plain data, in both directions: a key is an element, an array repeats it, `@name` is an attribute, `undefined`
 * leaves it out. `{ "@id": "1", name: "web", tags: { tag: ["a", "b"] } }`
 */
export type XmlValue = string | number | boolean | undefined | XmlObject | readonly XmlValue[];

export interface XmlObject {
  readonly [name: string]: XmlValue;
}

/** A document: one root element. */
export interface XmlDocument {
  readonly root: string;
  readonly content: XmlObject;
}

export function isXmlObject(value: XmlValue): value is XmlObject {
  return typeof value === "object" && !Array.isArray(value);
}

/** The values of a key, whether it is absent, one or many. */
export function valuesOf(object: XmlObject, name: string): readonly XmlValue[] {
  const value = object[name];
  if (value === undefined) return [];
  return isList(value) ? value : [value];
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}
