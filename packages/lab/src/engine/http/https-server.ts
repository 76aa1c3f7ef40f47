import { once } from "node:events";
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server as PlainServer,
  type ServerResponse,
} from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Server as PortServer } from "node:net";

import { UsageError, systemErrorCode } from "@ovault/contract";

import type { KeyPair } from "../../certificates.ts";
import type { FaultSwitches } from "../faults.ts";
import type { EngineBehaviour } from "../versions.ts";
import { writeXml } from "../xml/write-xml.ts";
import type { ApiServer } from "./api-server.ts";
import { plainOrTls } from "./plain-or-tls.ts";
import type { Sso } from "./sso.ts";

const SSO_TOKEN = "/ovirt-engine/sso/oauth/token";
const SSO_LOGOUT = "/ovirt-engine/services/sso-logout";
const PKI = "/ovirt-engine/services/pki-resource";
/** The engine's tokens have no real expiry: this is its greatest number. */
const NEVER = "9223372036854775807";
const SESSION = /(?:^|;\s*)JSESSIONID=([^;]+)/;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

export interface HttpsServerParts {
  readonly behaviour: EngineBehaviour;
  readonly api: ApiServer;
  readonly sso: Sso;
  readonly faults: FaultSwitches;
  readonly certificate: KeyPair;
  readonly caPem: string;
  /** True while the engine is starting and only answers 503. */
  readonly unavailable: () => boolean;
}

/** Rewrites an answer of the API: its XML, and the request that it answers. `path` is below the API's, without a query. */
export type AlterAnswer = (xml: string, request: { readonly method: string; readonly path: string }) => string;

/** The engine's server on 127.0.0.1: single sign-on, CA, API. On plain HTTP, at the same port, only the CA. */
export class HttpsServer {
  readonly #parts: HttpsServerParts;
  readonly #server: Server;
  readonly #plain: PlainServer;
  readonly #port: PortServer;
  readonly #closing = new AbortController();
  /** Rewrites answers, to play a different engine. */
  alter: AlterAnswer | undefined;

  constructor(parts: HttpsServerParts) {
    this.#parts = parts;
    const { certificatePem, privateKeyPem } = parts.certificate;
    this.#server = createServer({ cert: certificatePem, key: privateKeyPem });
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    this.#server.on("request", serve);
    this.#server.on("checkExpectation", serve); // `Expect: 201-created` is the engine's own; Node would answer 417
    this.#plain = createPlainServer((request, response) => this.#servePlain(request, response));
    this.#port = plainOrTls(this.#server, this.#plain, this.#closing.signal);
  }

  /** Listens on the first of these ports that is free; 0 is any free one. Answers with the port. */
  async listen(ports: readonly number[]): Promise<number> {
    for (const [index, port] of ports.entries()) {
      try {
        this.#port.listen(port, "127.0.0.1");
        await once(this.#port, "listening");
        break;
      } catch (error) {
        if (systemErrorCode(error) !== "EADDRINUSE") throw error;
        if (index + 1 === ports.length) throw new UsageError(`port ${port} is in use`, { cause: error });
      }
    }
    const address = this.#port.address();
    return isAddress(address) ? address.port : 0;
  }

  /** Uses another certificate from the next connection on. */
  useCertificate({ certificatePem, privateKeyPem }: KeyPair): void {
    this.#server.setSecureContext({ cert: certificatePem, key: privateKeyPem });
    this.#server.closeIdleConnections();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#port.close(resolve));
    this.#closing.abort();
    this.#server.closeAllConnections();
    this.#plain.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults, unavailable } = this.#parts;
    const body = request.method === "GET" ? "" : await readBody(request);
    // libgovirt announces a body with a GET, and does not send it again after a 401: what follows would be taken for it
    const announced = Number(request.headers["content-length"] ?? 0) > 0;
    if (request.method === "GET" && announced) response.shouldKeepAlive = false;
    const url = new URL(request.url ?? "/", "https://localhost");
    if (unavailable() || faults.strikes("engine-503")) {
      return sendHtml(response, 503, "Service Unavailable");
    }
    const { apiPaths, singleSignOn } = this.#parts.behaviour;
    if (singleSignOn && url.pathname === SSO_TOKEN && request.method === "POST")
      return this.#login(new URLSearchParams(body), response);
    if (singleSignOn && url.pathname === SSO_LOGOUT && request.method === "POST")
      return this.#logout(new URLSearchParams(body), response);
    if (url.pathname === PKI) return this.#sendCertificate(url, response);
    const base = apiPaths.find((path) => url.pathname === path || /^[/;]/.test(afterPrefix(url.pathname, path)));
    if (base === undefined) return sendHtml(response, 404, "Not Found");
    const { authorization, cookie, prefer } = request.headers;
    const persistent = String(prefer).includes("persistent-auth");
    const known = persistent && this.#parts.sso.authorizeSession(SESSION.exec(cookie ?? "")?.[1]);
    if (!known && !this.#parts.sso.authorize(singleSignOn ? authorization : basicOnly(authorization))) {
      response.setHeader("WWW-Authenticate", `Basic realm="${singleSignOn ? "RESTAPI" : "ENGINE"}"`);
      return sendHtml(response, 401, "Unauthorized");
    }
    if (persistent && !known) {
      const session = `JSESSIONID=${this.#parts.sso.issue()}; Path=${base}; Secure; HttpOnly`;
      response.setHeader("Set-Cookie", session);
    }
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
    );
    const { method = "GET" } = request;
    const reply = await this.#parts.api.answer({ method, url, base, headers, body });
    if (reply.page !== undefined) return sendHtml(response, reply.status, reply.page);
    const text = reply.body === undefined ? undefined : writeXml(reply.body);
    const path = url.pathname.slice(base.length);
    return sendReply(response, reply.status, text && (this.alter?.(text, { method, path }) ?? text));
  }

  /** Serves only the CA, as a real engine does at port 80, for clients without trust. Everything else needs TLS. */
  #servePlain(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (this.#parts.unavailable()) return sendHtml(response, 503, "Service Unavailable");
    if (url.pathname === PKI) return this.#sendCertificate(url, response);
    response.writeHead(302, { Location: `https://${request.headers.host ?? "localhost"}${url.pathname}` }).end();
  }

  #login(form: URLSearchParams, response: ServerResponse): void {
    const refuse = (code: string, error: string): void => sendJson(response, 400, { error_code: code, error });
    if (form.get("grant_type") !== "password") return refuse("unsupported_grant_type", "Unsupported grant type");
    if (form.get("scope") === null) return refuse("invalid_request", "Missing parameter: 'scope'");
    if (!this.#parts.sso.checkPassword(form.get("username") ?? "", form.get("password") ?? "")) {
      return refuse(
        "access_denied",
        "Cannot authenticate user: The user name or password is incorrect, or the user's profile is not known.",
      );
    }
    sendJson(response, 200, {
      access_token: this.#parts.sso.issue(),
      scope: form.get("scope") ?? "",
      exp: NEVER,
      token_type: "bearer",
    });
  }

  #logout(form: URLSearchParams, response: ServerResponse): void {
    this.#parts.sso.revoke(form.get("token") ?? "");
    sendJson(response, 200, {});
  }

  #sendCertificate(url: URL, response: ServerResponse): void {
    if (url.searchParams.get("resource") !== "ca-certificate") return sendHtml(response, 404, "Not Found");
    response.writeHead(200, { "Content-Type": "application/x-x509-ca-cert" }).end(this.#parts.caPem);
  }
}

/** What follows a prefix; empty without it. */
function afterPrefix(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : "";
}

function basicOnly(authorization: string | undefined): string | undefined {
  return /^basic /i.test(authorization ?? "") ? authorization : undefined;
}

function sendReply(response: ServerResponse, status: number, text: string | undefined): void {
  if (text === undefined) {
    response.writeHead(status, { "Content-Length": 0 }).end();
    return;
  }
  response
    .writeHead(status, { "Content-Type": "application/xml;charset=UTF-8", "Content-Length": Buffer.byteLength(text) })
    .end(text);
}

function sendHtml(response: ServerResponse, status: number, title: string): void {
  const text = `<html><head><title>Error</title></head><body>${title}</body></html>`;
  response.writeHead(status, { "Content-Type": "text/html;charset=UTF-8", "Content-Length": text.length }).end(text);
}

function sendJson(response: ServerResponse, status: number, value: Readonly<Record<string, string>>): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, { "Content-Type": "application/json;charset=UTF-8", "Content-Length": Buffer.byteLength(text) })
    .end(text);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const buffer = Buffer.from(part);
    bytes += buffer.length;
    if (bytes > MAX_BODY_BYTES) {
      request.destroy();
      break;
    }
    parts.push(buffer);
  }
  return Buffer.concat(parts).toString("utf8");
}

function isAddress(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
