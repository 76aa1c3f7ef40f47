import type { XmlElement } from "../engine/xml-element.ts";

/** A template. The one with the nil id is `Blank`. */
export interface Template {
  readonly id: string;
  readonly name: string;
  readonly status: string | undefined;
  readonly clusterId: string | undefined;
}

/** Parses one `<template>`. */
export function parseTemplate(element: XmlElement): Template {
  return {
    id: element.requireId("template"),
    name: element.value("name") ?? "",
    status: element.state("status"),
    clusterId: element.idOf("cluster"),
  };
}
