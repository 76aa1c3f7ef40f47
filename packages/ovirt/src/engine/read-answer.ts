import { AuthenticationError, type ErrorContext, type ErrorOptionsWithHint, type OvaultError } from "@ovault/contract";

import {
  EngineAnswerError,
  EngineConflictError,
  EngineFaultError,
  EnginePermissionError,
  EngineUnavailableError,
  EntityNotFoundError,
} from "./errors.ts";
import type { HttpAnswer, HttpRequest } from "./http-transport.ts";
import { isLastingConflict } from "./lasting-conflict.ts";
import { parseXml } from "./parse-xml.ts";
import { XmlElement } from "./xml-element.ts";

/** Represents an empty body, e.g. after a deletion: an element without a name, which no parser takes for an entity. */
const NOTHING = new XmlElement({
  name: "nothing",
  attributes: new Map(),
  children: [],
  text: "",
  source: { start: 0, end: 0 },
});

/**
 * Turns an answer into its root element or throws the matching error. A fault may be the document, or be inside an
 * `<action>` of any HTTP status; refusals may arrive as HTML or without a body.
 */
export function readAnswer(answer: HttpAnswer, call: Pick<HttpRequest, "method" | "path">): XmlElement {
  if (answer.status >= 200 && answer.status < 300) return readSuccess(answer, call);
  throw readFailure(answer, call);
}

function readSuccess(answer: HttpAnswer, call: Pick<HttpRequest, "method" | "path">): XmlElement {
  if (answer.text.trim() === "") return NOTHING;
  if (isHtml(answer)) throw notAnApi(answer, call);
  const root = parseXml(answer.text);
  if (faultIn(root) === undefined && !isFailedAction(root)) return root;
  throw readFailure(answer, call);
}

function isFailedAction(root: XmlElement): boolean {
  return root.name === "action" && root.state("status") === "failed";
}

function faultIn(root: XmlElement): XmlElement | undefined {
  return root.name === "fault" ? root : root.name === "action" ? root.child("fault") : undefined;
}

function readFailure(answer: HttpAnswer, call: Pick<HttpRequest, "method" | "path">): OvaultError {
  const said = faultText(answer);
  const message = `the engine refused ${call.method} ${call.path}${said === undefined ? "" : `: ${said}`}`;
  const context: ErrorContext = { status: answer.status, method: call.method, path: call.path };
  const options: ErrorOptionsWithHint = { context };
  switch (answer.status) {
    case 401:
      return new AuthenticationError("the engine does not accept the session", { context });
    case 403:
      return new EnginePermissionError(message, {
        context,
        hint: "The user needs rights on this object; for backups at least a role with disk and backup permits.",
      });
    case 404:
      return isHtml(answer)
        ? notAnApi(answer, call)
        : new EntityNotFoundError(`not on the engine: ${call.path}`, options);
    case 409:
      return new EngineConflictError(message, {
        context,
        retry: isLastingConflict(said) ? "never" : "transient",
        hint: "The engine's events and tasks say more. If a name or an address is taken, choose another one: a run at the same time may have taken it.",
      });
    case 408:
    case 429:
    case 502:
    case 503:
    case 504:
      return new EngineUnavailableError(`the engine is not ready: HTTP ${answer.status}`, {
        context,
        hint: "It may be starting; its state shows in `systemctl status ovirt-engine`.",
        // Sent by the web server in front, or by an engine that rejected the request.
        sent: answer.status === 502 || answer.status === 504,
      });
    default:
      return answer.status >= 300 && answer.status < 400
        ? notAnApi(answer, call)
        : new EngineFaultError(message, options);
  }
}

/** Reason and detail of a fault, on one line, without the brackets that the engine puts around its details. */
function faultText(answer: HttpAnswer): string | undefined {
  if (isHtml(answer) || answer.text.trim() === "") return undefined;
  const fault = tryFault(answer.text);
  const texts = [fault?.value("detail"), fault?.value("reason")].filter((text) => text !== undefined);
  return texts[0]
    ?.replaceAll(/\s+/g, " ")
    .replace(/^\[(.*)\]$/, "$1")
    .slice(0, 500);
}

function tryFault(text: string): XmlElement | undefined {
  try {
    return faultIn(parseXml(text));
  } catch (error) {
    // A refusal without XML is still a refusal; its status says which.
    if (error instanceof EngineAnswerError) return undefined;
    throw error;
  }
}

function isHtml(answer: HttpAnswer): boolean {
  return /^\s*(<!doctype html|<html)/i.test(answer.text) || (answer.contentType.includes("html") && answer.text !== "");
}

function notAnApi(answer: HttpAnswer, call: Pick<HttpRequest, "method" | "path">): EngineAnswerError {
  return new EngineAnswerError(`no oVirt API answers at ${call.path}: HTTP ${answer.status}`, {
    context: { status: answer.status, method: call.method, path: call.path, location: answer.location ?? null },
    hint: "The url should be https://ENGINE/ovirt-engine/api; on engines before 4.0 it is https://ENGINE/api.",
  });
}
