import { describe, expect, test } from "vitest";

import { optionsSchema } from "../src/options.ts";

const KEY = { user: "root", privateKey: "~/.ssh/ovault" };

function problems(options: unknown): readonly string[] {
  const parsed = optionsSchema.safeParse(options);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

test("without anything configured there are defaults and no login", () => {
  const { login, ...options } = optionsSchema.parse({});
  expect(login).toBeUndefined();
  expect(options).toMatchObject({ clusters: {}, hosts: {}, dataCenterDirectory: "/rhev/data-center" });
});

describe("a login", () => {
  test.each([
    { login: KEY },
    { login: { user: "ovault", agent: true } },
    { clusters: { Default: { user: "ovault", password: { env: "PASSWORD" } } } },
    { hosts: { kvm1: { ...KEY, address: "10.1.2.3", port: 2222 } } },
    { login: KEY, hosts: { kvm1: { address: "10.1.2.3" }, kvm2: { hostKey: `SHA256:${"a".repeat(43)}` } } },
  ])("is accepted for all hosts, by cluster and by host: %j", (options) => {
    expect(problems(options)).toEqual([]);
  });

  test.each([
    [{ login: { user: "root" } }, "login: exactly one of privateKey, agent, password says how to log in"],
    [{ login: { ...KEY, agent: true } }, "login: exactly one of privateKey, agent, password says how to log in"],
    [{ login: { ...KEY, host: "kvm1" } }, 'login: Unrecognized key: "host"'],
    [{ login: { ...KEY, passphrase: "secret" } }, "login.passphrase: a secret is never written here"],
    [{ hosts: { kvm1: { privateKey: "key" } } }, "hosts.kvm1.user: a login names its user"],
    [
      { hosts: { kvm1: { user: "root" } } },
      "hosts.kvm1: exactly one of privateKey, agent, password says how to log in",
    ],
    [{ hosts: { kvm1: { address: "root@kvm1" } } }, "hosts.kvm1.address: must be the name or address of a server"],
    [{ dataCenterDirectory: "rhev" }, "dataCenterDirectory: must be an absolute path"],
  ])("is refused, and the message names the field: %j", (options, problem) => {
    expect(problems(options)).toEqual([expect.stringContaining(problem)]);
  });
});
