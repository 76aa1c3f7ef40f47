import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { Agent, request, type Dispatcher } from "undici";

import { readXml, type XmlNode } from "../../src/engine/xml/read-xml.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData["headers"];
  readonly text: string;
  /** Root element; empty when the answer is no XML. */
  readonly xml: XmlNode;
}

interface Target {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly caFile: string;
}

const POLL_MS = 5;
const PATIENCE_MS = 20_000;

/** A plain HTTPS client that trusts the lab's CA and nothing else. */
export class EngineClient {
  readonly target: Target;
  readonly agent: Agent;
  authorization: string;

  constructor(target: Target, ca: string) {
    this.target = target;
    this.agent = new Agent({ connect: { ca } });
    this.authorization = `Basic ${Buffer.from(`${target.user}:${target.password}`).toString("base64")}`;
  }

  static async open(target: Target): Promise<EngineClient> {
    return new EngineClient(target, await readFile(target.caFile, "utf8"));
  }

  async call(
    method: Dispatcher.HttpMethod,
    path: string,
    body?: string,
    headers?: Record<string, string>,
  ): Promise<Answer> {
    return this.raw(method, `${this.target.url}${path}`, {
      headers: {
        authorization: this.authorization,
        accept: "application/xml",
        ...(body === undefined ? {} : { "content-type": "application/xml" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
  }

  get(path: string): Promise<Answer> {
    return this.call("GET", path);
  }

  post(path: string, body = "<action/>"): Promise<Answer> {
    return this.call("POST", path, body);
  }

  delete(path: string): Promise<Answer> {
    return this.call("DELETE", path);
  }

  async raw(
    method: Dispatcher.HttpMethod,
    url: string,
    options: { readonly headers?: Record<string, string>; readonly body?: string | Buffer } = {},
  ): Promise<Answer> {
    const response = await request(url, { method, dispatcher: this.agent, ...options });
    const text = await response.body.text();
    const isXml = String(response.headers["content-type"] ?? "").startsWith("application/xml");
    return { status: response.statusCode, headers: response.headers, text, xml: readXml(isXml ? text : "") };
  }

  /** Whole body of a GET. */
  async download(url: string): Promise<Buffer> {
    const response = await request(url, { dispatcher: this.agent });
    return Buffer.from(await response.body.arrayBuffer());
  }

  async login(): Promise<string> {
    const { origin } = new URL(this.target.url);
    const form = new URLSearchParams({
      grant_type: "password",
      scope: "ovirt-app-api",
      username: this.target.user,
      password: this.target.password,
    });
    const answer = await this.raw("POST", `${origin}/ovirt-engine/sso/oauth/token`, {
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      body: form.toString(),
    });
    const parsed: { readonly access_token: string } = JSON.parse(answer.text);
    this.authorization = `Bearer ${parsed.access_token}`;
    return parsed.access_token;
  }

  /** Polls an entity until the condition holds; every answer counts, also 404. */
  async until(path: string, condition: (answer: Answer) => boolean): Promise<Answer> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await this.get(path);
      if (condition(answer)) return answer;
      if (Date.now() > deadline) throw new Error(`${path} stays at ${answer.status} ${answer.text}`);
      await sleep(POLL_MS);
    }
  }

  /** Polls until an element has this text. */
  untilText(path: string, element: string, text: string): Promise<Answer> {
    return this.until(path, ({ xml }) => xml.text(element) === text);
  }

  /** Polls until the entity is gone. */
  untilGone(path: string): Promise<Answer> {
    return this.until(path, ({ status }) => status === 404);
  }

  async close(): Promise<void> {
    await this.agent.close();
  }
}
