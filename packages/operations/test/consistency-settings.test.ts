import { expect, test } from "vitest";

import { choosePolicy, parseConfiguration } from "@ovault/core";

import { consistencySettings, defaultConsistency } from "../src/installation/consistency-settings.ts";

function settings(written: string, wanted = {}) {
  const text = `policies:\n  nightly:\n    vms: { include: ["*"] }\n    consistency: ${written}\n`;
  const configuration = parseConfiguration(text, "/etc/ovault.yaml");
  return consistencySettings(configuration, choosePolicy(configuration, "nightly"), wanted);
}

test("the command line goes before the policy, and the policy before the default", () => {
  expect(defaultConsistency({}).quiesce).toBe("try");
  expect(defaultConsistency({ quiesce: "never" }).quiesce).toBe("never");
  expect(settings("{}").quiesce).toBe("try");
  expect(settings("{ quiesce: require }").quiesce).toBe("require");
  expect(settings("{ quiesce: require }", { quiesce: "never" }).quiesce).toBe("never");
  expect(settings("{ commands: { before: [{ run: [sync] }] } }", { quiesce: "try" }).commands.before).toMatchObject([
    { run: ["sync"], onFailure: "abort" },
  ]);
});

test("errors name the line and path of what is wrong", () => {
  expect(() => settings("{ quiese: require }")).toThrow(
    /line 4: policies\.nightly\.consistency\.quiese: unknown key, did you mean "quiesce"\?/,
  );
  expect(() => settings("{ commands: { before: [{ run: dump }] } }")).toThrow(
    /line 4: policies\.nightly\.consistency\.commands\.before\.0\.run: is a list/,
  );
  expect(() => settings("{ freeze: explicit }", { quiesce: "never" })).toThrow(/nothing is frozen with quiesce: never/);
});
