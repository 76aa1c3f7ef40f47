import { existsSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import type { LedgerEntry } from "@ovault/contract";
import type { Ledger, LedgerRunOptions } from "@ovault/core";
import { backupJobSchema, runBackup } from "@ovault/operations";

import { ModelSite } from "./support/model-site.ts";

/** As a server might keep it. */
class TableLedger implements Ledger {
  readonly rows = new Map<string, LedgerEntry & { readonly ended: boolean }>();
  readonly opened: string[] = [];

  async forRun(options: LedgerRunOptions) {
    return {
      runId: options.runId,
      open: async (what: Pick<LedgerEntry, "kind" | "title" | "detail">) => {
        const id = `${options.runId}-${this.rows.size}`;
        const entry = { id, ...options, ...what, node: "here", recordedAt: new Date().toISOString() };
        this.rows.set(id, { ...entry, ended: false });
        this.opened.push(what.title);
        return { entry, amend: async () => {}, close: async () => void this.rows.delete(id) };
      },
      outstanding: async () => [...this.rows.values()],
      end: async () => {
        for (const [id, row] of this.rows) if (row.runId === options.runId) this.rows.set(id, { ...row, ended: true });
      },
    };
  }

  async abandoned() {
    return (await this.report()).abandoned;
  }

  async report() {
    const all = [...this.rows.values()];
    return {
      abandoned: all.filter(({ ended }) => ended),
      active: all.filter(({ ended }) => !ended),
      elsewhere: [],
      damaged: [],
    };
  }

  async resolve({ id }: LedgerEntry) {
    this.rows.delete(id);
  }
}

test("jobs use the ledger of the context: they record in it, and clear what it has of dead runs", async () => {
  await using site = await ModelSite.open();
  const ledger = new TableLedger();
  const dead = await ledger.forRun({ runId: "dead", manager: "site", strategy: "model" });
  await dead.open({ kind: "backup", title: "backup of a dead run", detail: {} });
  await dead.end();
  await using installation = await site.installation({ ledger });
  await runBackup(installation, backupJobSchema.parse({ kind: "backup", vms: ["web01"] }), site.context);
  expect(site.notes).toContain("removed what an earlier run left: backup of a dead run");
  expect(ledger.opened).toEqual(["backup of a dead run", "backup of web01"]);
  expect([...ledger.rows.keys()]).toEqual([]);
  expect(existsSync(join(site.directory, "ovault-state", "ledger"))).toBe(false);
});
