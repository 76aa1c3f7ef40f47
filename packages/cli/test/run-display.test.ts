import { expect, test } from "vitest";

import { Redactor } from "@ovault/core";
import { errorSummary } from "@ovault/operations";

import { RunDisplay } from "../src/output/run-display.ts";
import { Terminal } from "../src/output/terminal.ts";
import { shownRun } from "./support/shown-run.ts";

function recorded() {
  const lines: string[] = [];
  const stream = { write: (text: string) => lines.push(text.trimEnd()) };
  const display = new RunDisplay(new Terminal({ out: stream, err: stream }, new Redactor(), { quiet: false }));
  return { lines, show: display.show };
}

test("of several runs the display says how each ended, and how many of how many have", () => {
  const { lines, show } = recorded();
  const [web, db] = [shownRun(show, "web01", 2), shownRun(show, "db01", 2)];
  db.emit({ kind: "failed", error: errorSummary(new Error("no room")) });
  web.emit({ kind: "copied" });
  web.emit({ kind: "finished", result: [] });
  expect(lines).toEqual(["db01: failed: no room", "1 of 2 virtual machines done", "2 of 2 virtual machines done"]);
});

test("of a single run the command's own result or error says how it ended", () => {
  const { lines, show } = recorded();
  const web = shownRun(show, "web01");
  web.emit({ kind: "phase", phase: "seal", detail: "" });
  web.emit({ kind: "failed", error: errorSummary(new Error("no room")) });
  web.emit({ kind: "phase", phase: "late", detail: "of a run that is over" });
  expect(lines).toEqual(["web01: seal"]);
});

test("a run says which strategy has opened its disks, and what carries their data", () => {
  const { lines, show } = recorded();
  const web = shownRun(show, "web01");
  const disks = ["netcat", "OpenSSH", "netcat", null].map((carrier, index) => ({ diskId: `disk-${index}`, carrier }));
  web.emit({ kind: "opened", strategy: "ssh-transfer", point: "p", disks });
  web.emit({ kind: "opened", strategy: "other", point: "p", disks: disks.slice(3) });
  expect(lines).toEqual(["web01: opened: ssh-transfer, through netcat and OpenSSH", "web01: opened: other"]);
});
