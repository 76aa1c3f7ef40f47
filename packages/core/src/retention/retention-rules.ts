/**
 * How many recovery points of each virtual machine to keep, at least 1. A point stays as long as one rule keeps it.
 * Days, weeks, months and years count only if they have a point; the newest point represents each.
 */
export interface RetentionRules {
  readonly keepLast?: number | undefined;
  readonly keepDaily?: number | undefined;
  /** Weeks begin on Monday (ISO 8601). */
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
}
