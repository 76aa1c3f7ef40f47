import { Redactor } from "@ovault/core";
import { errorSummary } from "@ovault/operations";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { layOut } from "../src/output/layout.ts";
import { RunDisplay } from "../src/output/run-display.ts";
import { Terminal } from "../src/output/terminal.ts";
import { facts, table, text } from "../src/output/view.ts";
import { shownRun } from "./support/shown-run.ts";
import { OBEYED } from "./support/obeyed.ts";

/** What ovault itself sends to a terminal, to redraw progress. */
const OWN_SEQUENCES = ["\r\u001B[K", "\u001B[1A\u001B[K"];

const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(..."\u001B\u0007\u009B\r\t\b\0\u007F\u202E\u2066\u2028\u061C\n", "\u001B[2J", "é", "日", "a"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
  maxLength: 30,
});

function recorded(isTTY: boolean) {
  let written = "";
  const stream = { isTTY, columns: 200, rows: 24, write: (part: string) => (written += part) };
  const terminal = new Terminal({ out: stream, err: stream }, new Redactor(), { quiet: false });
  return { terminal, written: () => written };
}

describe("whatever a name holds", () => {
  test("no way of printing lets a terminal obey it", () => {
    fc.assert(
      fc.property(hostile, fc.boolean(), (name, isTTY) => {
        const { terminal, written } = recorded(isTTY);
        const run = shownRun(new RunDisplay(terminal).show, name, 2);
        run.emit({ kind: "phase", phase: "backup", detail: name });
        run.emit({ kind: "warning", of: "run", message: name });
        run.emit({ kind: "failed", error: errorSummary(new Error(name)) });
        terminal.showCount(() => name)(1);
        terminal.note(name);
        terminal.complain(name);
        terminal.print(layOut([table(["vm"], [[name]], name), facts([["vm", name]]), text(name)]));
        const foreign = OWN_SEQUENCES.reduce((output, own) => output.replaceAll(own, ""), written());
        expect(foreign).not.toMatch(OBEYED);
      }),
    );
  });

  test("it is one line in tables, facts, texts and notes", () => {
    fc.assert(
      fc.property(hostile, (name) => {
        expect(layOut([table(["vm"], [[name]], "")]).split("\n")).toHaveLength(3);
        expect(layOut([facts([["vm", name]])]).split("\n")).toHaveLength(2);
        expect(layOut([text(name)]).split("\n")).toHaveLength(2);
        const { terminal, written } = recorded(false);
        terminal.note(name);
        expect(written().split("\n")).toHaveLength(2);
      }),
    );
  });

  test("JSON stays the same JSON", () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const { terminal, written } = recorded(true);
        const data = [{ name, [name]: [name] }];
        terminal.print(JSON.stringify(data, undefined, 2));
        expect(JSON.parse(written())).toEqual(data);
      }),
    );
  });
});

test("control characters are shown by their numbers", () => {
  const { terminal, written } = recorded(false);
  terminal.note("disk\u001B[2J\u0007 \u009B31m \u202Etxt.exe\nnext");
  expect(written()).toBe("disk\\x1b[2J\\x07 \\u009b31m \\u202etxt.exe\\nnext\n");
});
