import { formatAge, formatTime, describeSelection, type PolicySummary } from "@ovault/operations";
import { facts, table, text, type View } from "../output/view.ts";

const UNKNOWN = "?";

export function policiesView(policies: readonly PolicySummary[]): View {
  const rows = policies.map((policy) => {
    const [next] = policy.nextRuns;
    return [
      policy.name,
      describeSelection(policy),
      String(policy.machines?.length ?? UNKNOWN),
      String(policy.withoutPoint ?? UNKNOWN),
      policy.leastRecentPointAt === null ? "" : formatAge(policy.leastRecentPointAt),
      policy.destination ?? UNKNOWN,
      next === undefined ? "by hand" : `${formatTime(next.at)} ${next.type}`,
    ];
  });
  const titles = ["policy", "selects", ">vms", ">no point", ">oldest last point", "destination", "next run"];
  return [
    table(titles, rows, "no policies: add some under `policies:` in ovault.yaml"),
    ...warningsView(policies.flatMap(({ warnings }) => warnings)),
  ];
}

/** One policy with its machines. */
export function policyView(policy: PolicySummary): View {
  const rows = (policy.machines ?? []).map(({ name, status, host, tags, newestPointAt }) => [
    name,
    status,
    host ?? "",
    tags.join(", "),
    newestPointAt === null ? "none" : `${formatTime(newestPointAt)} (${formatAge(newestPointAt)} ago)`,
  ]);
  const runs = policy.nextRuns.map(({ at, type }) => `${formatTime(at)} ${type}`);
  const none = policy.machines === null ? "its virtual machines are not known" : "it selects no virtual machine";
  return [
    facts([
      ["policy", policy.name],
      ["selects", describeSelection(policy)],
      ["manager", policy.manager ?? UNKNOWN],
      ["destination", policy.destination ?? UNKNOWN],
      ["strategy", policy.strategy],
      ["next runs", runs.join(", ") || "by hand"],
    ]),
    table(["vm", "status", "host", "tags", "last point"], rows, none),
    ...warningsView(policy.warnings),
  ];
}

function warningsView(warnings: readonly string[]): View {
  return warnings.length === 0 ? [] : [text(...warnings.map((warning) => `warning: ${warning}`))];
}
