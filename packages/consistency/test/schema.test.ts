import { describe, expect, test } from "vitest";

import { consistencySchema } from "@ovault/consistency";
import { validate } from "@ovault/core";
import { parseYaml } from "@ovault/core/internal/config/origin";

function parse(yaml: string) {
  const { value, origin } = parseYaml(yaml, "ovault.yaml");
  return validate(consistencySchema, value, origin);
}

describe("the consistency of a policy", () => {
  test("has defaults for everything", () => {
    expect(parse("{}")).toEqual({
      quiesce: "try",
      freeze: "implicit",
      freezeTimeoutSeconds: 60,
      thawTimeoutSeconds: 300,
      commands: { before: [], after: [] },
    });
  });

  test("has commands that end a run when they fail before the snapshot, and only warn after it", () => {
    const { commands } = parse(`
commands:
  before: [{ run: [/usr/local/bin/dump, --all] }]
  after:
    - { run: "rm -f /tmp/dump; echo gone", shell: true }
    - run: [hostname]
      ssh: { host: db01.example.com, user: root, agent: true }
`);
    expect(commands.before[0]).toEqual({
      run: ["/usr/local/bin/dump", "--all"],
      shell: false,
      environment: {},
      timeoutSeconds: 300,
      onFailure: "abort",
    });
    expect(commands.after.map(({ onFailure }) => onFailure)).toEqual(["warn", "warn"]);
    expect(commands.after[1]?.ssh).toMatchObject({ port: 22, acceptsEnvironment: false });
  });

  test.each([
    ["a misspelt key", "quiese: try", /line 1: quiese: unknown key.*quiesce/],
    [
      "a misspelt key of a command",
      "commands: { before: [{ runn: [x] }] }",
      /commands\.before\.0\.runn: unknown key.*run/,
    ],
    ["an unknown word", "quiesce: maybe", /quiesce/],
    ["a line without a shell", "commands: { before: [{ run: rm -rf / }] }", /commands\.before\.0\.run: is a list/],
    ["a list for a shell", "commands: { after: [{ run: [a], shell: true }] }", /commands\.after\.0\.run: is one line/],
    ["an empty list", "commands: { before: [{ run: [] }] }", /begins with a program/],
    ["a variable of ours", "commands: { before: [{ run: [a], environment: { OVAULT_VM: x } }] }", /set by ovault/],
    ["a variable without a name", "commands: { before: [{ run: [a], environment: { a-b: x } }] }", /letters, digits/],
    [
      "two logins",
      "commands: { before: [{ run: [a], ssh: { host: h, user: u, agent: true, password: { env: P } } }] }",
      /exactly one/,
    ],
    ["no time at all", "commands: { before: [{ run: [a], timeoutSeconds: 0 }] }", /timeoutSeconds/],
    ["freezing what is never quiesced", "{ quiesce: never, freeze: explicit }", /freeze: nothing is frozen/],
    [
      "secrets for a server that accepts no variables",
      "commands: { before: [{ run: [a], environment: { P: { env: X } }, ssh: { host: h, user: u, agent: true } }] }",
      /acceptsEnvironment/,
    ],
  ])("refuses %s, and says where", (_, yaml, message) => {
    expect(() => parse(yaml)).toThrow(message);
  });
});
