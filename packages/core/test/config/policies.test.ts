import { describe, expect, test } from "vitest";

import { choosePolicy, type Configuration, DEFAULT_RUN_LIMITS, parseConfiguration } from "@ovault/core";

function parse(...policy: readonly string[]): Configuration {
  const lines = [
    "managers:",
    "  engine: { type: ovirt }",
    "destinations:",
    "  main: { type: filesystem }",
    "policies:",
    "  nightly:",
    ...policy.map((line) => `    ${line}`),
  ];
  return parseConfiguration(lines.join("\n"), "/etc/ovault.yaml");
}

const VMS = 'vms: { include: ["web*"] }';

test("a policy has all that was written", () => {
  const configuration = parse(
    "manager: engine",
    'vms: { include: ["web*", "/^db[0-9]+$/", "tag:backup", "cluster:Default", "id:1"], exclude: ["*-test"] }',
    'excludeDisks: ["swap*"]',
    "strategy: changed-block-tracking",
    "consistency: { quiesce: require }",
    "destination: main",
    "schedule:",
    '  - { cron: "0 22 * * 1-6", type: incremental }',
    '  - { cron: "0 22 * * 0", type: full }',
    "timeZone: Europe/Berlin",
    "retention: { keepLast: 7, keepWeekly: 4 }",
    "limits: { total: 3, perManager: 3, perHost: 1, perStorageDomain: 2, finalizing: 0 }",
  );
  expect(choosePolicy(configuration, "nightly")).toEqual({
    name: "nightly",
    manager: "engine",
    vms: { include: ["web*", "/^db[0-9]+$/", "tag:backup", "cluster:Default", "id:1"], exclude: ["*-test"] },
    excludeDisks: ["swap*"],
    strategy: "changed-block-tracking",
    consistency: { quiesce: "require" },
    destination: "main",
    schedule: [
      { cron: "0 22 * * 1-6", type: "incremental" },
      { cron: "0 22 * * 0", type: "full" },
    ],
    timeZone: "Europe/Berlin",
    retention: { keepLast: 7, keepWeekly: 4 },
    limits: { total: 3, perManager: 3, perHost: 1, perStorageDomain: 2, finalizing: 0 },
  });
});

test("what is left out has defaults", () => {
  expect(choosePolicy(parse(VMS, "limits: { perHost: 1 }"), "nightly")).toEqual({
    name: "nightly",
    vms: { include: ["web*"], exclude: [] },
    excludeDisks: [],
    strategy: "auto",
    consistency: {},
    schedule: [],
    limits: { ...DEFAULT_RUN_LIMITS, perHost: 1 },
  });
  expect(choosePolicy(parse(VMS), "nightly").limits).toEqual(DEFAULT_RUN_LIMITS);
});

test("an unknown policy is answered with the nearest", () => {
  expect(() => choosePolicy(parse(VMS), "nigthly")).toThrow(/there is no policy "nigthly", did you mean "nightly"/);
});

describe("what is wrong is named with line and path", () => {
  test.each([
    [["vms: {}"], /line 7: policies\.nightly\.vms\.include: is missing/],
    [["vms: { include: [] }"], /policies\.nightly\.vms\.include: needs at least one selector/],
    [['vms: { include: ["web*", "host:x"] }'], /line 7: policies\.nightly\.vms\.include\.1: "host:x" does not select/],
    [['vms: { include: ["/(/"] }'], /policies\.nightly\.vms\.include\.0: \/\(\/ is not a regular expression/],
    [["vms: { includes: [a] }"], /policies\.nightly\.vms\.includes: unknown key, did you mean "include"/],
    [
      [VMS, "destination: mian"],
      /line 8: policies\.nightly\.destination: there is no destination "mian", did you mean "main"/,
    ],
    [[VMS, "manager: other"], /line 8: policies\.nightly\.manager: there is no manager "other"/],
    [
      [VMS, "schedule:", "  - { cron: 0 22 * *, type: full }"],
      /line 9: policies\.nightly\.schedule\.0\.cron: five fields/,
    ],
    [[VMS, "schedule:", "  - { cron: 0 0 30 2 *, type: full }"], /schedule\.0\.cron: such a time never comes/],
    [[VMS, "schedule:", "  - { cron: 0 2 * * *, type: weekly }"], /schedule\.0\.type: /],
    [[VMS, "timeZone: Mars/Olympus"], /policies\.nightly\.timeZone: there is no time zone "Mars\/Olympus"/],
    [[VMS, "retention: {}"], /policies\.nightly\.retention: needs at least one rule/],
    [[VMS, "limits: { total: 0 }"], /policies\.nightly\.limits\.total: must be at least 1/],
    [[VMS, "limits: { perhost: 1 }"], /policies\.nightly\.limits\.perhost: unknown key, did you mean "perHost"/],
    [[VMS, "lanes: 4"], /policies\.nightly\.lanes: unknown key/],
  ])("%j", (lines, message) => {
    expect(() => parse(...lines)).toThrow(message);
  });
});
