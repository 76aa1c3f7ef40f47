import { createHash } from "node:crypto";

import { beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { NbdExport } from "../src/hypervisor/hypervisor.ts";
import {
  type TestImageio,
  type WireAnswer,
  type WireConnection,
  startTestImageio,
  ticketFor,
} from "./support/test-imageio.ts";
import { MiB, addDisk, openTestHypervisor, type TestHypervisor } from "./support/test-hypervisor.ts";

const SIZE = 4 * MiB;
const JSON_TYPE = "application/json";
const TEXT = "text/plain; charset=UTF-8";
const SERVER = "imageio/2.5.3";

let lab: TestHypervisor;
let server: TestImageio;
let connection: WireConnection;
let source: NbdExport;
let target: NbdExport;

// `disk` holds one MiB of 0x11, then nothing.
beforeAll(async () => {
  const cleanups: (() => Promise<void>)[] = [];
  const finished = (cleanup: () => Promise<void>): unknown => cleanups.unshift(cleanup);
  lab = await openTestHypervisor(finished);
  await addDisk(lab, "disk");
  await addDisk(lab, "target");
  await lab.hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await lab.hypervisor.guestWrite("disk", { kind: "pattern", pattern: 0x11, offset: 0, length: MiB });
  await lab.hypervisor.stopVm("vm", { graceful: true });
  source = await lab.hypervisor.openExport({ exportId: "source", diskId: "disk", writable: false });
  target = await lab.hypervisor.openExport({ exportId: "target", diskId: "target", writable: true });
  server = await startTestImageio(finished);
  return async () => {
    for (const cleanup of cleanups) await cleanup();
  };
});

beforeEach(async () => {
  const { imageio } = server;
  await imageio.addTicket(ticketFor("read", source, { sizeBytes: SIZE, transferId: "T-1" }));
  await imageio.addTicket(ticketFor("short", source, { sizeBytes: SIZE / 2 }));
  await imageio.addTicket(ticketFor("big", source, { sizeBytes: SIZE * 2 }));
  await imageio.addTicket(ticketFor("expired", source, { sizeBytes: SIZE, timeoutSeconds: 0 }));
  await imageio.addTicket(ticketFor("rw", target, { sizeBytes: SIZE, ops: ["read", "write"] }));
  await imageio.addTicket(ticketFor("wo", target, { sizeBytes: SIZE, ops: ["write"] }));
  await imageio.addTicket(ticketFor("dead", { path: "/nowhere", exportName: "x" }, { sizeBytes: SIZE }));
  connection = await server.connect();
});

/** An answer in plain text: its status, and its text without the newline at the end. */
async function textAnswer(head: string, body?: string): Promise<readonly [number, string]> {
  const answer = await connection.request(head, body);
  expect(answer.headers["content-type"]).toBe(TEXT);
  return [answer.status, answer.body.toString().replace(/\n$/, "")];
}

function sha256(data: Uint8Array): Buffer {
  return createHash("sha256").update(data).digest();
}

function checksum(query: string): Promise<WireAnswer> {
  return connection.request(`GET /images/read/checksum${query} HTTP/1.1`);
}

/** A range of the writable ticket. */
async function readBack(range: string): Promise<string> {
  return (await connection.request(`GET /images/rw HTTP/1.1\nRange: bytes=${range}`)).body.toString("latin1");
}

const PATCH = "PATCH /images/rw HTTP/1.1\nContent-Type: application/json";

describe("checksum", () => {
  test("is the digest of the digests of all blocks", async () => {
    const image = (await connection.request("GET /images/read HTTP/1.1")).body;
    const blocks = [];
    for (let at = 0; at < image.length; at += MiB) blocks.push(sha256(image.subarray(at, at + MiB)));
    const expected = sha256(Buffer.concat(blocks)).toString("hex");
    const answer = await checksum(`?algorithm=sha256&block_size=${MiB}`);
    expect([answer.status, answer.body.toString()]).toEqual([
      200,
      `{"algorithm": "sha256", "block_size": 1048576, "checksum": "${expected}"}\n`,
    ]);
    // by Python's hashlib, with a digest of 32 bytes, as a real daemon has it
    const blake = "f716caa5a518dcd8d31332f1bb9314c51ef8345c11a64eaefbf5d69015206bf5";
    expect((await checksum("")).body.toString()).toBe(
      `{"algorithm": "blake2b", "block_size": 4194304, "checksum": "${blake}"}\n`,
    );
  });

  test.each([
    ["?algorithm=crc32", "Unsupported value 'crc32' for 'algorithm'"],
    ["?block_size=1000", "Block size out of allowed range: 1048576-16777216"],
    ["?block_size=1052673", "Block size is not aligned to 4096"],
    ["?block_size=x", "Invalid block size: 'x'"],
  ])("refuses %s in the daemon's words", async (query, text) => {
    const { status, body } = await checksum(query);
    expect([status, body.toString()]).toEqual([400, expect.stringContaining(text)]);
  });

  test("refuses an unknown ticket and keeps the connection; the list of algorithms needs none", async () => {
    const refused = await connection.request("GET /images/nosuch/checksum HTTP/1.1");
    expect([refused.status, refused.headers["connection"]]).toEqual([403, undefined]);
    const listed = await connection.request("GET /images/nosuch/checksum/algorithms HTTP/1.1");
    expect(JSON.parse(listed.body.toString()).algorithms).toContain("blake2b");
  });
});

describe("OPTIONS", () => {
  test("tells what a ticket allows, in lower-case headers and nothing more", async () => {
    const answer = await connection.request("OPTIONS /images/read HTTP/1.1");
    const text = '{"features": ["checksum", "extents"], "max_readers": 8, "max_writers": 8}\n';
    expect(answer).toMatchObject({ status: 200, body: Buffer.from(text) });
    expect(Object.entries(answer.headers)).toEqual([
      ["server", SERVER],
      ["content-length", String(text.length)],
      ["allow", "OPTIONS,GET"],
      ["content-type", JSON_TYPE],
    ]);
    const writable = await connection.request("OPTIONS /images/wo HTTP/1.1");
    expect(writable.headers["allow"]).toBe("OPTIONS,GET,PUT,PATCH");
    expect(writable.body.toString()).toContain('["checksum", "extents", "flush", "zero"]');
  });

  test("knows the pseudo ticket", async () => {
    const { body } = await connection.request("OPTIONS /images/* HTTP/1.1");
    expect(body.toString()).toBe('{"features": ["checksum", "extents", "flush", "zero"]}\n');
  });

  test("answers 500 and keeps the connection when the backend is not there", async () => {
    expect(await textAnswer("OPTIONS /images/dead HTTP/1.1")).toEqual([
      500,
      "Server failed to perform the request, check logs",
    ]);
    expect(await textAnswer("OPTIONS /images/ HTTP/1.1")).toEqual([400, "Ticket id is required"]);
  });
});

describe("tickets", () => {
  const refused = "You are not allowed to access this resource:";
  test.each([
    ["OPTIONS /images/nosuch HTTP/1.1", `${refused} No such ticket nosuch`],
    ["GET /images/nosuch/extents HTTP/1.1", `${refused} No such ticket nosuch`],
    ["GET /images/read/ HTTP/1.1", `${refused} No such ticket read/`],
    ["GET /images/expired HTTP/1.1", `${refused} Transfer=(ticket/expired) expired`],
    ["PUT /images/read HTTP/1.1\nContent-Length: 4", `${refused} Transfer=T-1 forbids write`],
  ])("%s is 403, and the connection ends", async (head, text) => {
    const answer = await connection.request(head);
    expect(answer).toMatchObject({ status: 403, headers: { connection: "close" } });
    expect(answer.body.toString()).toBe(`${text}\n`);
    await connection.closed();
  });

  test("an expired ticket lives again when extended; a removed one is gone on connections that idle", async () => {
    const { imageio } = server;
    imageio.expireTickets();
    expect(await imageio.ticketInfo("read")).toMatchObject({ expired: true });
    await imageio.extendTicket("read", 60);
    expect((await connection.request("GET /images/read HTTP/1.1\nRange: bytes=0-3")).status).toBe(206);
    await imageio.removeTicket("read");
    await imageio.removeTicket("read");
    expect((await connection.request("GET /images/read HTTP/1.1\nRange: bytes=0-3")).status).toBe(403);
    expect(await imageio.ticketInfo("read")).toBeUndefined();
  });

  test("transferred counts distinct bytes, and is absent for tickets that read and write", async () => {
    await connection.request("GET /images/read HTTP/1.1\nRange: bytes=0-1048575");
    await connection.request("GET /images/read HTTP/1.1\nRange: bytes=524288-2097151");
    expect(await server.imageio.ticketInfo("read")).toEqual({
      active: false,
      idleSeconds: 0,
      expired: false,
      transferredBytes: 2 * MiB,
    });
    expect(await server.imageio.ticketInfo("rw")).not.toHaveProperty("transferredBytes");
  });

  test("removal fails while a client does not send what it announced, and works once it has gone", async () => {
    const stalled = await server.connect();
    stalled.send("PUT /images/wo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nbeginning");
    await expect.poll(async () => (await server.imageio.ticketInfo("wo"))?.active).toBe(true);
    await expect(server.imageio.removeTicket("wo")).rejects.toMatchObject({ code: "E_LAB_TICKET_BUSY" });
    const answer = await connection.request("GET /images/wo/extents HTTP/1.1");
    expect(answer.body.toString()).toContain("Transfer=(ticket/wo) was canceled");
    stalled.close();
    await server.imageio.removeTicket("wo");
  });
});

describe("GET", () => {
  test("a range is 206, its total is the ticket's size", async () => {
    const answer = await connection.request("GET /images/big HTTP/1.1\nRange: bytes=1048568-1048583");
    expect(answer.status).toBe(206);
    expect(answer.body).toEqual(Buffer.concat([Buffer.alloc(8, 0x11), Buffer.alloc(8)]));
    expect(Object.entries(answer.headers)).toEqual([
      ["server", SERVER],
      ["content-length", "16"],
      ["content-type", "application/octet-stream"],
      ["content-disposition", "attachment"],
      ["content-range", `bytes 1048568-1048583/${2 * SIZE}`],
    ]);
  });

  test("without a range it is 200 and the smaller of ticket and export", async () => {
    for (const [ticket, length] of [
      ["read", SIZE],
      ["short", SIZE / 2],
      ["big", SIZE],
    ] as const) {
      const answer = await connection.request(`GET /images/${ticket} HTTP/1.1`);
      expect([answer.status, answer.body.length]).toEqual([200, length]);
      expect(answer.headers).not.toHaveProperty("content-range");
    }
  });

  test("an open range may begin at the end, where nothing is, but not after it", async () => {
    const atEnd = await connection.request(`GET /images/read HTTP/1.1\nRange: bytes=${SIZE}-`);
    expect(atEnd).toMatchObject({ status: 206, headers: { "content-range": `bytes ${SIZE}-${SIZE - 1}/${SIZE}` } });
    expect(await textAnswer(`GET /images/read HTTP/1.1\nRange: bytes=${SIZE + 36}-`)).toEqual([
      400,
      "Requested -36 bytes, available 0 bytes",
    ]);
  });

  test.each([
    ["bytes=-4", "suffix-byte-range-spec not supported yet"],
    ["bytes=0-1,4-5", "Cannot satisfy range 'bytes=0-1,4-5', invalid range or multiple ranges"],
    ["bytes=9-4", "Cannot satisfy range 'bytes=9-4', first > last"],
    ["chars=0-4", "Cannot satisfy range 'chars=0-4', invalid range or multiple ranges"],
  ])("range %s is 416", async (range, text) => {
    expect(await textAnswer(`GET /images/read HTTP/1.1\nRange: ${range}`)).toEqual([416, text]);
  });

  test("a closed range past the end is 416 and told how much there is", async () => {
    const past = await connection.request(`GET /images/short HTTP/1.1\nRange: bytes=${SIZE / 2 - 4}-${SIZE / 2}`);
    expect(past).toMatchObject({ status: 416, headers: { "content-range": `bytes */${SIZE / 2}` } });
    const pastExport = await connection.request(`GET /images/big HTTP/1.1\nRange: bytes=${SIZE}-${SIZE + 15}`);
    expect(pastExport.headers["content-range"]).toBe(`bytes */${SIZE}`);
    expect(pastExport.body.toString()).toBe(`Requested more bytes than available: ${SIZE + 16} > ${SIZE}\n`);
  });

  test("close=y closes", async () => {
    const answer = await connection.request("GET /images/read?close=y HTTP/1.1\nRange: bytes=0-3");
    expect(answer.headers["connection"]).toBe("close");
    await connection.closed();
  });

  test("requests may be pipelined", async () => {
    for (const range of ["0-3", "1048576-1048579"]) {
      connection.send(`GET /images/read HTTP/1.1\r\nHost: x\r\nRange: bytes=${range}\r\n\r\n`);
    }
    expect((await connection.answer()).body).toEqual(Buffer.alloc(4, 0x11));
    expect((await connection.answer()).body).toEqual(Buffer.alloc(4));
  });
});

describe("other methods and paths", () => {
  test.each([
    ["POST /images/read HTTP/1.1\nContent-Length: 0", 405, "Method 'POST' not defined for '/images/read'"],
    ["OPTIONS /images/read/extents HTTP/1.1", 405, "Method 'OPTIONS' not defined for '/images/read/extents'"],
    ["GET /nothing HTTP/1.1", 404, "No handler for '/nothing'"],
    ["GET /images/%zz HTTP/1.1", 400, "Invalid path '/images/%zz': URIError: URI malformed"],
  ])("%s is %i", async (head, status, text) => {
    expect(await textAnswer(head)).toEqual([status, text]);
  });

  test("HEAD is 405 and has a body, against HTTP", async () => {
    expect(await textAnswer("HEAD /images/read HTTP/1.1")).toEqual([
      405,
      "Method 'HEAD' not defined for '/images/read'",
    ]);
  });

  test("the version is reported", async () => {
    expect((await connection.request("GET /info/ HTTP/1.1")).body.toString()).toBe('{"version": "2.5.3"}\n');
  });

  test("what is not HTTP gets HTML without a status line", async () => {
    connection.send("4\r\n\r\n");
    expect((await connection.closed()).toString()).toMatch(/^<!DOCTYPE HTML>/);
  });
});

describe("PUT", () => {
  test("writes Content-Length bytes at the first byte of Content-Range, whatever the rest of it says", async () => {
    const answer = await connection.request(
      "PUT /images/rw HTTP/1.1\nContent-Range: bytes 3145728-3145731/9999999",
      "12345678",
    );
    expect(answer).toEqual({ status: 200, headers: { server: SERVER, "content-length": "0" }, body: Buffer.alloc(0) });
    expect(await readBack("3145728-3145736")).toBe("12345678\0");
    await connection.request("PUT /images/rw?flush=n HTTP/1.1\nContent-Range: bytes 100-*/*", "x");
    expect(await readBack("100-100")).toBe("x");
    await connection.request("PUT /images/rw HTTP/1.1\nRange: bytes=4194304-4194307", "oops");
    expect(await readBack("0-3")).toBe("oops");
  });

  test.each([
    ["Content-Range: bytes=0-3/*", "", 400, "Invalid Content-Range 'bytes=0-3/*'"],
    ["Content-Range: bytes 9-3/*", "", 400, "Invalid Content-Range 'bytes 9-3/*', first > last"],
    [`Content-Range: bytes ${SIZE - 2}-${SIZE + 1}/*`, "", 416, "Requested range out of allowed range"],
    [
      "Content-Range: bytes 0-3/*",
      "?flush=yes",
      400,
      "Unsupported value 'yes' for 'flush', expecting one of ['n', 'y']",
    ],
  ])("%s%s is refused without reading the body, and the connection ends", async (header, query, status, text) => {
    expect(await textAnswer(`PUT /images/rw${query} HTTP/1.1\n${header}`, "abcd")).toEqual([status, text]);
    await connection.closed();
  });

  test("a chunked body is refused, and its first chunk taken for a request", async () => {
    connection.send("PUT /images/rw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n");
    expect((await connection.answer()).body.toString()).toBe("Content-Length header is required\n");
    expect((await connection.closed()).toString()).toMatch(/^<!DOCTYPE HTML>/);
  });

  test("what was written of a body cut short stays", async () => {
    const cut = await server.connect();
    cut.send(`PUT /images/rw HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 * MiB}\r\n\r\n`);
    cut.send(Buffer.alloc(MiB, "q"));
    await expect.poll(() => readBack(`${MiB - 1}-${MiB}`)).toBe("q\0");
    cut.end();
    await cut.closed();
    await expect.poll(async () => (await server.imageio.ticketInfo("rw"))?.active).toBe(false);
    expect(await readBack(`${MiB - 1}-${MiB}`)).toBe("q\0");
  });
});

describe("PATCH", () => {
  test("zeroes and flushes", async () => {
    expect((await connection.request(PATCH, `{"op": "zero", "size": ${SIZE}}`)).status).toBe(200);
    await connection.request("PUT /images/rw HTTP/1.1", Buffer.alloc(131072, 1));
    const zero = '{"op": "zero", "offset": 65536, "size": 65536, "flush": true}';
    expect(await connection.request(PATCH, zero)).toMatchObject({
      status: 200,
      headers: { "content-length": "0" },
    });
    expect((await connection.request(PATCH, '{"op": "flush"}')).status).toBe(200);
    const { body } = await connection.request("GET /images/rw/extents HTTP/1.1");
    expect(JSON.parse(body.toString())).toEqual([
      { start: 0, length: 65536, zero: false, hole: false },
      { start: 65536, length: SIZE - 65536, zero: true, hole: false },
    ]);
  });

  test.each([
    ['{"op": "zero", "offset": 0}', 400, "Missing required value for 'size'"],
    ['{"op": "zero", "size": -1}', 400, "Invalid value -1 < 0"],
    ['{"op": "zero", "size": "1"}', 400, "Integer required '1'"],
    ['{"op": "zero", "size": 1.5}', 400, "Integer required 1.5"],
    ['{"op": "zero", "size": 1, "flush": "y"}', 400, "Boolean required 'y'"],
    ['{"op": "trim", "size": 1}', 400, "Unsupported value 'trim' for 'op', expecting one of ['flush', 'zero']"],
    ["{}", 400, "Missing required value for op"],
    ["[1]", 500, "Server failed to perform the request, check logs"],
    [`{"op": "zero", "offset": ${SIZE}, "size": 1}`, 416, "Requested range out of allowed range"],
  ])("%s is %i", async (body, status, text) => {
    expect(await textAnswer(PATCH, body)).toEqual([status, text]);
  });
});

describe("faults", () => {
  test("a cut transfer ends in the middle of its body, once or always", async () => {
    server.imageio.faults.cutReads = "once";
    const get = "GET /images/read HTTP/1.1\nRange: bytes=0-65535";
    await expect(connection.request(get)).rejects.toThrow("connection closed after 32768 bytes");
    const second = await server.connect();
    expect((await second.request(get)).body.length).toBe(65536);
  });

  test("a connection closed while idle loses the next request on it without a word", async () => {
    server.imageio.faults.idleClose = "once";
    await connection.request("OPTIONS /images/read HTTP/1.1");
    await expect(connection.request("OPTIONS /images/read HTTP/1.1")).rejects.toThrow("closed after 0 bytes");
    expect((await (await server.connect()).request("OPTIONS /images/read HTTP/1.1")).status).toBe(200);
  });

  test("requests fail with 500", async () => {
    server.imageio.faults.failRequests = "once";
    expect(await textAnswer("OPTIONS /images/read HTTP/1.1")).toEqual([
      500,
      "Server failed to perform the request, check logs",
    ]);
    expect((await connection.request("OPTIONS /images/read HTTP/1.1")).status).toBe(200);
  });

  test("slow extents keep the ticket active, and end when it is removed", async () => {
    server.imageio.faults.extentsDelayMs = 600_000;
    const extents = connection.request("GET /images/read/extents HTTP/1.1");
    await expect.poll(async () => (await server.imageio.ticketInfo("read"))?.active).toBe(true);
    server.imageio.faults.extentsDelayMs = 0;
    await server.imageio.removeTicket("read");
    expect((await extents).status).toBe(500);
  });
});
