/** What a service answered in place of what was asked for. Holds no header that was sent, and so no secret. */
export interface Refusal {
  /** Of S3: `NoSuchKey`. Empty when the answer had no body to say it, as that of any HEAD. */
  readonly code: string;
  readonly message: string;
  readonly status: number;
  readonly requestId: string | null;
  /** The region that the bucket is in, where the answer tells. */
  readonly region: string | undefined;
  /** The service's clock. */
  readonly date: Date | undefined;
}

/** What the SDK calls an answer without a code. */
const NAMELESS = new Set(["Unknown", "UnknownError", "NotFound", "Error"]);

/** Undefined for an error that is no answer of a service. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error)) return undefined;
  const metadata = recordIn(error, "$metadata");
  const status = metadata["httpStatusCode"];
  if (typeof status !== "number") return undefined;
  const headers = recordIn(recordIn(error, "$response"), "headers");
  return {
    code: NAMELESS.has(error.name) || /^\d+$/.test(error.name) ? "" : error.name,
    message: NAMELESS.has(error.message) ? "" : error.message,
    status,
    requestId: textIn(metadata, "requestId") ?? null,
    region: textIn(error, "Region") ?? textIn(headers, "x-amz-bucket-region"),
    date: dateOf(textIn(headers, "date")),
  };
}

function recordIn(value: object, name: string): Record<string, unknown> {
  const found: unknown = Reflect.get(value, name);
  return typeof found === "object" && found !== null ? { ...found } : {};
}

function textIn(value: object, name: string): string | undefined {
  const found: unknown = Reflect.get(value, name);
  return typeof found === "string" && found !== "" ? found : undefined;
}

function dateOf(text: string | undefined): Date | undefined {
  const date = new Date(text ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
