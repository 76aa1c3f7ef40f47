import { inspect } from "node:util";

import { AuthenticationError, CancelledError, ConfigurationError } from "@ovault/contract";
import { issueCertificate, type ServerCertificate } from "@ovault/test-support/certificates";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { element } from "../src/engine/build-xml.ts";
import { EngineClient, type EngineClientOptions } from "../src/engine/engine-client.ts";
import {
  EngineAnswerError,
  EngineConflictError,
  EngineFaultError,
  EnginePermissionError,
  EngineUnavailableError,
  EntityNotFoundError,
} from "../src/engine/errors.ts";
import { EngineServer, PASSWORD, USER, type Reply } from "./support/engine-server.ts";

let certificate: ServerCertificate;
let server: EngineServer;
let client: EngineClient;
const signal = new AbortController().signal;
const body = element("action", {});
const html: Reply = { status: 404, type: "text/html", body: "<html><body>Not Found</body></html>" };

function connect(options: Partial<EngineClientOptions> = {}): EngineClient {
  return new EngineClient({
    url: server.url,
    user: USER,
    password: PASSWORD,
    trust: { ca: [certificate.ca] },
    timings: { pollMs: 1 },
    ...options,
  });
}

beforeAll(async () => {
  certificate = await issueCertificate("IP:127.0.0.1");
});
beforeEach(async () => {
  server = await new EngineServer(certificate).start();
  client = connect();
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

describe("login", () => {
  test("many calls at once make one login", async () => {
    await Promise.all(Array.from({ length: 10 }, () => client.get("/vms", { signal })));
    expect(server.logins).toBe(1);
    expect(server.calls).toHaveLength(10);
  });

  test("a session that the engine has forgotten is replaced once, unnoticed by callers", async () => {
    await client.get("/vms", { signal });
    server.expireSessions();
    await Promise.all(Array.from({ length: 5 }, () => client.get("/vms", { signal })));
    expect(server.logins).toBe(2);
  });

  test("a wrong password is an AuthenticationError that does not hold it", async () => {
    client = connect({ password: "wrong-secret" });
    const error: unknown = await client.get("/vms", { signal }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(inspect(error, { depth: 10 })).not.toContain("wrong-secret");
    expect(server.logins).toBe(1);
  });

  test("an engine that refuses even a new session does not send us round in circles", async () => {
    server.reply = () => ({ status: 401, type: "text/html", body: "<html/>" });
    await expect(client.get("/vms", { signal })).rejects.toThrow(AuthenticationError);
    expect(server.logins).toBe(2);
  });

  test("a token in a list of one is a token", async () => {
    server.login = () => ({ type: "application/json", body: JSON.stringify([server.newToken()]) });
    await client.get("/vms", { signal });
    expect(server.calls).toHaveLength(1);
  });

  test("a login service that is not there names basic authentication", async () => {
    server.login = () => html;
    await expect(client.get("/vms", { signal })).rejects.toMatchObject({
      code: "E_ENGINE_ANSWER",
      hint: expect.stringContaining("basic"),
    });
  });

  test("a login that waits for one caller is not lost when that caller gives up", async () => {
    const abort = new AbortController();
    const first = client.get("/vms", { signal: abort.signal });
    const second = client.get("/vms", { signal });
    abort.abort(new CancelledError("enough"));
    await expect(first).rejects.toThrow(CancelledError);
    await second;
    expect(server.logins).toBe(1);
  });

  test("closing logs out, and does not throw when the engine is gone", async () => {
    await client.get("/vms", { signal });
    await client.close();
    const logout = server.others.find((request) => request.path.includes("sso-logout"));
    expect(logout?.body).toBe("scope=ovirt-app-api&token=token-1");

    client = connect();
    await client.get("/vms", { signal });
    await server.stop();
    await client.close();
    await server.start();
  });

  test("basic authentication keeps one session by its cookie, and makes a new one when it ends", async () => {
    client = connect({ auth: "basic" });
    server.reply = ({ headers }) =>
      headers.cookie === undefined ? { body: "<vms/>", cookie: server.newCookie() } : { body: "<vms/>" };
    await client.get("/vms", { signal });
    await client.get("/vms", { signal });
    server.expireSessions();
    await client.get("/vms", { signal });
    const cookies = server.calls.map((call) => call.headers.cookie !== undefined);
    expect(cookies).toEqual([false, true, false]);
    expect(server.calls.every((call) => call.headers["prefer"] === "persistent-auth")).toBe(true);
    await client.close();
    expect(server.calls.at(-1)?.headers["prefer"]).toBeUndefined();
  });

  test("a wrong password by basic authentication is asked once", async () => {
    client = connect({ auth: "basic", password: "wrong" });
    await expect(client.get("/vms", { signal })).rejects.toThrow(AuthenticationError);
    expect(server.others).toHaveLength(1);
  });

  test.each(["admin", "@internal", "admin@", ""])("the user name %j has no profile", (user) => {
    expect(() => connect({ user })).toThrow(ConfigurationError);
  });

  test.each(["http://e/ovirt-engine/api", "https://u:p@e/", "https://e/?x=1", "engine.example.com"])(
    "%s is no engine's url",
    (url) => {
      expect(() => connect({ url })).toThrow(ConfigurationError);
    },
  );

  test.each(["https://e", "https://e/ovirt-engine/", "https://e/ovirt-engine/api/"])("%s is an engine's url", (url) => {
    expect(connect({ url }).address).toEqual({
      origin: "https://e",
      rootPath: "/ovirt-engine",
      apiPath: "/ovirt-engine/api",
    });
  });
});

describe("what goes over the wire", () => {
  test("version, media types and query are said", async () => {
    await client.post("/vms", element("vm", {}), { signal, query: { follow: "nics", max: 5, search: undefined } });
    expect(server.calls[0]).toMatchObject({
      method: "POST",
      path: "/vms?follow=nics&max=5",
      body: "<vm/>",
      headers: { version: "4", accept: "application/xml", "content-type": "application/xml" },
    });
  });

  test("calls of a run carry its id, in a form that every engine takes", async () => {
    await client.correlated("run 7/ä").get("/vms", { signal });
    await client.get("/vms", { signal });
    expect(server.calls.map((call) => call.headers["correlation-id"])).toEqual(["run-7--", undefined]);
  });
});

describe("refusals", () => {
  test.each([
    [400, EngineFaultError],
    [403, EnginePermissionError],
    [404, EntityNotFoundError],
    [500, EngineFaultError],
  ])("HTTP %i is its own error, with or without a body", async (status, kind) => {
    const fault = "<fault><detail>[Cannot do\n that.]</detail><reason>Operation Failed</reason></fault>";
    server.reply = (_, index) => ({ status, body: index === 0 ? "" : fault });
    await expect(client.get("/vms/1", { signal })).rejects.toThrow(kind);
    await expect(client.get("/vms/1", { signal })).rejects.toThrow(kind);
    expect(server.calls).toHaveLength(2);
  });

  test("the engine's words are in the message, on one line", async () => {
    const fault = "<fault><reason>Operation Failed</reason><detail>[Cannot do\n that.]</detail></fault>";
    server.reply = () => ({ status: 400, body: fault });
    await expect(client.get("/vms/1", { signal })).rejects.toThrow(/: Cannot do that\.$/);
  });

  test.each([
    "<action><status>failed</status><fault><reason>no</reason></fault></action>",
    "<action><fault><reason>no</reason></fault></action>",
    "<action><status><state>failed</state></status></action>",
    "<fault><reason>no</reason></fault>",
  ])("%s is a fault even when HTTP says 200", async (answer) => {
    server.reply = () => ({ body: answer });
    await expect(client.post("/vms/1/start", body, { signal })).rejects.toThrow(EngineFaultError);
  });

  test("an action that was accepted is none", async () => {
    server.reply = () => ({ body: "<action><job id='1'/><status>complete</status></action>" });
    await expect(client.post("/vms/1/start", body, { signal })).resolves.toMatchObject({ name: "action" });
  });

  test("a refusal as HTML is understood by its status", async () => {
    server.reply = () => ({ status: 403, type: "text/html", body: "<html><body>Forbidden</body></html>" });
    await expect(client.get("/vms", { signal })).rejects.toThrow(EnginePermissionError);
  });

  test("a page where the API should be is distinguished from a missing entity", async () => {
    server.reply = () => html;
    await expect(client.get("/vms", { signal })).rejects.toThrow(EngineAnswerError);
    server.reply = () => ({ status: 200, type: "text/html", body: "<html><body>Welcome</body></html>" });
    await expect(client.get("/vms", { signal })).rejects.toThrow(EngineAnswerError);
    server.reply = () => ({ status: 302 });
    await expect(client.get("/vms", { signal })).rejects.toThrow(EngineAnswerError);
  });

  test.each(["<vms><vm></vms>", "<vms", "plain", "<a/><b/>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"])(
    "%s is no answer",
    async (answer) => {
      server.reply = () => ({ body: answer });
      await expect(client.get("/vms", { signal })).rejects.toThrow(EngineAnswerError);
    },
  );

  test("an empty answer is fine where nothing is expected", async () => {
    server.reply = () => ({ body: "" });
    await expect(client.delete("/disks/1", { signal })).resolves.toMatchObject({ children: [] });
  });

  test("an answer beyond the limit is refused", async () => {
    client = connect({ maxAnswerBytes: 10_000 });
    server.reply = (_, index) => ({ body: `<vms>${" ".repeat(index === 0 ? 20_000 : 5_000)}</vms>` });
    await expect(client.get("/vms", { signal })).rejects.toThrow(/larger than 10000 bytes/);
    await client.get("/vms", { signal });
  });
});

describe("patience", () => {
  const conflict: Reply = { status: 409, body: "<fault><detail>[Disk is locked.]</detail></fault>" };

  test("a conflict is met with patience", async () => {
    server.reply = (_, index) => (index < 6 ? conflict : { body: "<action/>" });
    await client.post("/vms/1/backups/2/finalize", body, { signal });
    expect(server.calls).toHaveLength(7);
  });

  test("a conflict that stays is an error, which says that repeating was tried", async () => {
    client = connect({ timings: { pollMs: 1, conflictDeadlineMs: 20 } });
    server.reply = () => conflict;
    const error: unknown = await client.post("/vms", body, { signal }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EngineConflictError);
    expect(error).toMatchObject({ retry: "exhausted", message: expect.stringContaining("Disk is locked") });
  });

  test.each([
    "Cannot remove VM. Delete protection is enabled. In order to delete, disable Delete protection first.",
    "Import VM failed - VM Name already exists in the Data Center.",
    "Cannot add Virtual Disk. MAC Address 56:6f:00:00:00:01 is already in use by VM or snapshot: web.",
    "Cannot attach Virtual Disk. VirtIO-SCSI is disabled for the VM.",
  ])("a conflict that can never pass is an error at once: %s", async (detail) => {
    server.reply = () => ({ status: 409, body: `<fault><detail>[${detail}]</detail></fault>` });
    await expect(client.delete("/vms/1", { signal })).rejects.toMatchObject({
      code: "E_ENGINE_CONFLICT",
      retry: "never",
    });
    expect(server.calls).toHaveLength(1);
    expect(server.calls[0]?.headers["accept-language"]).toBe("en-US");
  });

  test("a conflict may be an error at once", async () => {
    server.reply = () => conflict;
    await expect(client.post("/vms", body, { signal, conflictDeadlineMs: 0 })).rejects.toThrow(EngineConflictError);
    expect(server.calls).toHaveLength(1);
  });

  test("waiting out a conflict ends with the caller's signal", async () => {
    client = connect({ timings: { pollMs: 60_000 } });
    const abort = new AbortController();
    server.reply = () => {
      setImmediate(() => abort.abort(new CancelledError("enough")));
      return conflict;
    };
    await expect(client.post("/vms", body, { signal: abort.signal })).rejects.toThrow(CancelledError);
  });

  test.each(["get", "post"] as const)("an engine that is starting is waited for: %s", async (method) => {
    server.reply = (_, index) => (index < 3 ? { status: 503, body: "" } : { body: "<vms/>" });
    await (method === "get" ? client.get("/vms", { signal }) : client.post("/vms", body, { signal }));
    expect(server.calls).toHaveLength(4);
  });

  test("an engine that never comes back is an error", async () => {
    client = connect({ timings: { pollMs: 1, restartBudgetMs: 20 } });
    server.reply = () => ({ status: 503, type: "text/html", body: "<html>Service Unavailable</html>" });
    await expect(client.get("/vms", { signal })).rejects.toMatchObject({
      code: "E_MANAGER_UNAVAILABLE",
      retry: "exhausted",
    });
  });

  test("an engine that answered before is waited for through a whole restart", async () => {
    await client.get("/vms", { signal });
    await server.stop();
    server.expireSessions();
    const waiting = client.post("/vms", body, { signal });
    await new Promise((resolve) => setTimeout(resolve, 30));
    server.reply = (_, index) => (index < 3 ? html : { body: "<vm/>" });
    await server.start();
    await waiting;
    expect(server.calls).toHaveLength(4);
  });

  test("an address without a server is an error at once", async () => {
    const { url } = server;
    await server.stop();
    client = connect({ url });
    await expect(client.get("/vms", { signal })).rejects.toMatchObject({
      code: "E_MANAGER_UNAVAILABLE",
      retry: "transient",
    });
    await server.start();
  });

  test("a lost answer is asked for again, unless asking again could do it twice", async () => {
    await client.get("/vms", { signal });
    server.reply = (_, index) => (index % 2 === 1 ? "cut" : { body: "<vms/>" });
    await client.get("/vms", { signal });
    expect(server.calls).toHaveLength(3);
    await expect(client.post("/vms", body, { signal })).rejects.toThrow(EngineUnavailableError);
    expect(server.calls).toHaveLength(4);
  });

  test("an engine that says nothing is given up on", async () => {
    client = connect({ timings: { pollMs: 1, restartBudgetMs: 1 } });
    await client.get("/vms", { signal });
    server.reply = () => "hang";
    const call = client.get("/vms", { signal, timeoutMs: 100 });
    await expect(call).rejects.toThrow(/did not answer within 100 ms/);
  });

  test("a call ends with the caller's signal, wherever it is", async () => {
    const abort = new AbortController();
    server.reply = () => {
      setImmediate(() => abort.abort(new CancelledError("enough")));
      return "hang";
    };
    await expect(client.get("/vms", { signal: abort.signal })).rejects.toThrow(CancelledError);
    await expect(client.get("/vms", { signal: abort.signal })).rejects.toThrow(CancelledError);
  });
});
