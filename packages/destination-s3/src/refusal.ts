/** An error answer of a service. Holds no request header, and so no secret. */
export interface Refusal {
  /** S3's code: `NoSuchKey`. Empty when the answer had no body, as to any HEAD. */
  readonly code: string;
  readonly message: string;
  readonly status: number;
  readonly requestId: string | null;
  /** The bucket's region, if the answer names it. */
  readonly region: string | undefined;
  /** The service's clock. */
  readonly date: Date | undefined;
}

/** Names that the SDK gives to an answer without a code. */
const NAMELESS = new Set(["Unknown", "UnknownError", "NotFound", "Error"]);

/** `undefined` for an error that is not an answer of a service. */
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
