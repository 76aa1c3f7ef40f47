import type { IncomingMessage } from "node:http";

import { HttpRefusal } from "./errors.ts";
import { pythonRepr } from "./python-json.ts";

const MAX_BODY_BYTES = 1024 * 1024;

/** The two operations of PATCH. Offsets and sizes are bytes. */
export type PatchRequest =
  | { readonly op: "flush" }
  | { readonly op: "zero"; readonly offset: number; readonly size: number; readonly flush: boolean };

/** Reads and checks the JSON body of a PATCH. @throws HttpRefusal, status 400, in imageio's words */
export async function parsePatch(request: IncomingMessage): Promise<PatchRequest> {
  const message = parseJson(await readBody(request));
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new TypeError("the body of PATCH is not an object"); // answered 500, as the daemon does
  }
  const fields = new Map<string, unknown>(Object.entries(message));
  const op = fields.get("op");
  if (op === undefined) throw new HttpRefusal(400, "Missing required value for op");
  if (op === "flush") return { op };
  if (op !== "zero") {
    throw new HttpRefusal(400, `Unsupported value ${pythonRepr(op)} for 'op', expecting one of ['flush', 'zero']`);
  }
  const size = naturalNumber(fields.get("size"));
  if (size === undefined) throw new HttpRefusal(400, "Missing required value for 'size'");
  return { op, size, offset: naturalNumber(fields.get("offset")) ?? 0, flush: boolean(fields.get("flush")) ?? false };
}

async function readBody(request: IncomingMessage): Promise<string> {
  if (request.headers["content-length"] === undefined) return ""; // chunks are not looked at
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new HttpRefusal(413, "Request body too large", { close: true });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HttpRefusal(400, `Invalid JSON message ${error instanceof Error ? error.message : ""}`);
  }
}

function naturalNumber(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw new HttpRefusal(400, `Integer required ${pythonRepr(value)}`);
  }
  if (value < 0) throw new HttpRefusal(400, `Invalid value ${value} < 0`);
  return value;
}

function boolean(value: unknown): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw new HttpRefusal(400, `Boolean required ${pythonRepr(value)}`);
}
