import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Redactor } from "@ovault/core";
import { errorSummary } from "@ovault/operations";

import { LiveLines } from "../src/output/live-lines.ts";
import { RunDisplay } from "../src/output/run-display.ts";
import { Terminal } from "../src/output/terminal.ts";
import { shownRun } from "./support/shown-run.ts";

const ESCAPE = "\u001B";

/** What a terminal shows after it was written to: as much of one as is used here. */
class Screen {
  readonly isTTY = true;
  readonly columns = 60;
  readonly rows = 24;
  #lines = [""];
  #row = 0;
  #column = 0;

  write(text: string): void {
    const [plain = "", ...sequences] = text.split(`${ESCAPE}[`);
    for (const part of plain) this.#apply(part);
    for (const sequence of sequences) {
      const [control] = /^1A|^K/.exec(sequence) ?? [""];
      this.#apply(`${ESCAPE}[${control}`);
      for (const part of sequence.slice(control.length)) this.#apply(part);
    }
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  #apply(part: string): void {
    const line = this.#lines[this.#row] ?? "";
    if (part === "\r") this.#column = 0;
    else if (part === `${ESCAPE}[1A`) this.#row -= 1;
    else if (part === `${ESCAPE}[K`) {
      this.#lines[this.#row] = line.slice(0, this.#column);
      // What is below is empty by now: it was cleared on the way up.
      if (this.#lines.slice(this.#row + 1).every((below) => below === "")) this.#lines.length = this.#row + 1;
    } else if (part === "\n") {
      this.#row += 1;
      this.#column = 0;
      this.#lines[this.#row] ??= "";
    } else {
      this.#lines[this.#row] = line.slice(0, this.#column) + part + line.slice(this.#column + 1);
      this.#column += 1;
    }
  }
}

const size = { columns: 60, rows: 24 };

test("whatever was drawn before, the screen shows what is drawn last, and nothing after a clear", () => {
  const lines = fc.array(fc.stringMatching(/^[a-z0-9 %]{1,70}$/), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(lines, { minLength: 1, maxLength: 5 }), (drawings) => {
      const [screen, live] = [new Screen(), new LiveLines()];
      screen.write("before\n");
      for (const drawing of drawings) {
        screen.write(live.draw(drawing, size));
        const cut = drawing.map((line) => line.slice(0, 59));
        const shown = cut.length <= 12 ? cut : [...cut.slice(0, 11), `… and ${cut.length - 11} more`];
        expect(screen.text).toBe(`before\n${shown.join("\n")}`);
      }
      screen.write(live.clear());
      expect(screen.text).toBe("before\n");
    }),
  );
});

test("notes appear above the progress of all runs, and a run that is over takes its line along", () => {
  const screen = new Screen();
  const terminal = new Terminal({ out: screen, err: screen }, new Redactor(), { quiet: false });
  const { show } = new RunDisplay(terminal);
  const [first, second] = [shownRun(show, "web01"), shownRun(show, "db01")];
  first.emit({ kind: "phase", phase: "copy", detail: "1 disk" });
  first.emit({ kind: "failed", error: errorSummary(new Error("a fault")) });
  second.emit({ kind: "warning", of: "run", message: "a warning" });
  terminal.print("result\n");
  expect(screen.text).toBe("web01: copy: 1 disk\ndb01: warning: a warning\nresult\n");
});
