import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";

import { OvaultError } from "@ovault/contract";
import { z } from "zod";

import { controlVerbs } from "./control-verbs.ts";
import type { LabControl } from "./lab-control.ts";

/** Lets other processes of the same user control a lab: HTTP on a unix socket, `POST /VERB` with arguments as JSON. */
export class ControlServer {
  readonly #server: Server;
  readonly #socket: string;

  private constructor(socket: string, server: Server) {
    this.#socket = socket;
    this.#server = server;
  }

  static async listen(socket: string, lab: LabControl): Promise<ControlServer> {
    const server = createServer((request, response) => {
      answer(lab, request, response).catch(() => response.destroy());
    });
    await rm(socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socket, resolve);
    });
    await chmod(socket, 0o600);
    return new ControlServer(socket, server);
  }

  /** Stops accepting connections; still sends answers under way. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeIdleConnections();
    await rm(this.#socket, { force: true });
  }
}

async function answer(lab: LabControl, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader("Connection", "close"); // no idle connection keeps the lab from ending
  const call = controlVerbs.get(request.url?.slice(1) ?? "");
  if (call === undefined) {
    response.writeHead(404).end();
    return;
  }
  try {
    const args: unknown = JSON.parse(await text(request));
    const result = await call(lab, args);
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ result }));
  } catch (error) {
    response.writeHead(400, { "Content-Type": "application/json" }).end(JSON.stringify({ error: plainError(error) }));
  }
}

function plainError(error: unknown): Readonly<Record<string, string | undefined>> {
  if (error instanceof OvaultError) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof z.ZodError) return { code: "E_USAGE", message: z.prettifyError(error) };
  return { code: "E_INTERNAL", message: error instanceof Error ? error.message : String(error) };
}
