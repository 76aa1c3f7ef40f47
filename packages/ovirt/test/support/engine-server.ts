import { createServer } from "node:https";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import type { ServerCertificate } from "@ovault/test-support/certificates";

export interface SeenRequest {
  readonly method: string;
  /** With the query; below `/ovirt-engine/api` for API calls. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What the server does with a request. `hang`: nothing, ever. `cut`: drops the connection. */
export type Reply =
  | { readonly status?: number; readonly body?: string; readonly type?: string; readonly cookie?: string }
  | "hang"
  | "cut";

export const USER = "admin@internal";
export const PASSWORD = "correct horse & battery";

const API = "/ovirt-engine/api";
const TOKEN_PATH = "/ovirt-engine/sso/oauth/token";

/** A real HTTPS server with an engine's login; what the API says is up to each test. */
export class EngineServer {
  /** API requests with a valid login, in order. */
  readonly calls: SeenRequest[] = [];
  /** All other requests: logins, logouts, refused ones. */
  readonly others: SeenRequest[] = [];
  reply: (request: SeenRequest, index: number) => Reply | Promise<Reply> = () => ({ body: "<nothing/>" });
  /** Overrides the login service. */
  login: ((form: URLSearchParams) => Reply) | undefined;
  logins = 0;
  readonly #certificate: ServerCertificate;
  readonly #valid = new Set<string>();
  #server: Server;
  #port = 0;

  constructor(certificate: ServerCertificate) {
    this.#certificate = certificate;
    this.#server = this.#create();
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}${API}`;
  }

  /** Listens; on the same port again after `stop`. */
  async start(): Promise<this> {
    this.#server = this.#create();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject).listen(this.#port, "127.0.0.1", resolve);
    await promise;
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  /** As after the session time-out: every token and cookie handed out so far is refused. */
  expireSessions(): void {
    this.#valid.clear();
  }

  #create(): Server {
    const { cert, key, ca } = this.#certificate;
    return createServer({ cert: cert + ca, key }, (request, response) => void this.#serve(request, response));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    const isApi = url.startsWith(API);
    const seen: SeenRequest = {
      method: request.method ?? "",
      path: isApi ? url.slice(API.length) : url,
      headers: request.headers,
      body: await text(request),
    };
    const isCall = isApi && this.#mayPass(request);
    (isCall ? this.calls : this.others).push(seen);
    send(response, isCall ? await this.reply(seen, this.calls.length - 1) : this.#serveOther(seen, isApi));
  }

  #mayPass({ headers }: IncomingMessage): boolean {
    const basic = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;
    if (headers.cookie !== undefined) return this.#valid.has(headers.cookie);
    return headers.authorization === basic || this.#valid.has(headers.authorization ?? "");
  }

  #serveOther(request: SeenRequest, isApi: boolean): Reply {
    if (isApi) return { status: 401, type: "text/html", body: "<html><body>Unauthorized</body></html>" };
    if (request.path !== TOKEN_PATH) return { status: 200, body: "{}" };
    this.logins += 1;
    const form = new URLSearchParams(request.body);
    if (this.login !== undefined) return this.login(form);
    if (form.get("username") !== USER || form.get("password") !== PASSWORD) {
      const refusal = { error_code: "access_denied", error: "Cannot authenticate user 'admin@internal'." };
      return { status: 400, type: "application/json", body: JSON.stringify(refusal) };
    }
    return { type: "application/json", body: JSON.stringify(this.newToken()) };
  }

  newToken(): { access_token: string; exp: string; token_type: string } {
    const token = `token-${this.logins}`;
    this.#valid.add(`Bearer ${token}`);
    return { access_token: token, exp: "9223372036854775807", token_type: "bearer" };
  }

  /** A session cookie that passes until sessions expire. */
  newCookie(): string {
    const cookie = `JSESSIONID=session-${this.calls.length}`;
    this.#valid.add(cookie);
    return `${cookie}; Path=/ovirt-engine/api; Secure; HttpOnly`;
  }
}

function send(response: ServerResponse, reply: Reply): void {
  if (reply === "hang") return;
  if (reply === "cut") {
    response.destroy();
    return;
  }
  const cookie = reply.cookie === undefined ? {} : { "set-cookie": reply.cookie };
  response.writeHead(reply.status ?? 200, { "content-type": reply.type ?? "application/xml", ...cookie });
  response.end(reply.body ?? "");
}
