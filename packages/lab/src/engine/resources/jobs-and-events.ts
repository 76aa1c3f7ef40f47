import { badRequest, incomplete, notFound } from "../engine-fault.ts";
import type { EngineApi } from "../engine-api.ts";
import type { EventState, JobState } from "../engine-state.ts";
import { created, ok, reference, type ApiReply } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, type Route } from "../http/router.ts";
import { searched, type SearchTable } from "../http/search.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** Code of events that come from outside. */
const EXTERNAL_CODE = 9801;

/** `/jobs` and `/events`: the engine's log of its own work. */
export function jobAndEventRoutes(api: EngineApi): readonly Route[] {
  const { state } = api.core;
  return [
    get("/jobs", (request) => {
      const found = searched(request, Object.values(state.jobs), jobSearch);
      return ok("jobs", { job: found.map(jobContent) });
    }),
    get("/jobs/:job", (request) => {
      const job = state.jobs[request.param("job")];
      if (job === undefined) throw notFound();
      return ok("job", jobContent(job));
    }),
    get("/events", (request) => {
      const from = Number(request.query.get("from") ?? "0");
      const newest = state.events.filter(({ id }) => id > from).toReversed();
      const found = searched(request, newest, eventSearch(api));
      return ok("events", { event: found.map(eventContent) });
    }),
    get("/events/:event", (request) => {
      const event = state.events.find(({ id }) => String(id) === request.param("event"));
      if (event === undefined) throw notFound();
      return ok("event", eventContent(event));
    }),
    post("/events", (request) => addEvent(api, request)),
  ];
}

function addEvent({ core }: EngineApi, { body, correlationId }: ApiRequest): ApiReply {
  const [origin, description, customId] = [body.text("origin"), body.text("description"), body.integer("custom_id")];
  if (origin === undefined || description === undefined || customId === undefined) {
    throw incomplete("Event", "origin", "description", "customId");
  }
  if (core.state.events.some((event) => event.origin === origin && event.customId === customId)) {
    throw badRequest(`Cannot add event. An event ${customId} of ${origin} exists already.`);
  }
  const vmId = body.child("vm")?.attribute("id");
  const event = core.journal.event(EXTERNAL_CODE, {
    description,
    origin,
    customId,
    correlationId,
    severity: body.choice(["normal", "warning", "error", "alert"], "severity") ?? "normal",
    ...(vmId === undefined ? {} : { vmId }),
  });
  return created("event", eventContent(event));
}

const jobSearch: SearchTable<JobState> = { fields: { correlation_id: (job) => job.correlationId }, unplayed: [] };

function eventSearch({ core }: EngineApi): SearchTable<EventState> {
  const vmName = ({ vmId }: EventState): string => (vmId === undefined ? "" : (core.state.vms[vmId]?.name ?? ""));
  return {
    fields: {
      message: ({ description }) => description,
      severity: ({ severity }) => severity,
      type: ({ code }) => code,
      time: ({ time }) => time,
      origin: ({ origin }) => origin,
      custom_event_id: ({ customId }) => customId ?? -1,
      correlation_id: ({ correlationId }) => correlationId ?? "",
      event_vm: vmName,
      vm: vmName,
      "vm.name": vmName,
      "vm.id": ({ vmId }) => vmId ?? "",
    },
    unplayed: [
      "cluster.",
      "deleted",
      "event_datacenter",
      "event_host",
      "event_storage",
      "event_template",
      "event_volume",
      "host.",
      "template.",
      "user.",
      "usrid",
      "usrname",
      "vm.",
    ],
  };
}

function eventContent(event: EventState): XmlObject {
  return {
    ...reference("/events", String(event.id)),
    description: event.description,
    code: event.code,
    correlation_id: event.correlationId,
    custom_id: event.customId ?? -1,
    flood_rate: 30,
    index: event.id,
    origin: event.origin,
    severity: event.severity,
    time: event.time,
    vm: event.vmId === undefined ? undefined : reference("/vms", event.vmId),
  };
}

function jobContent(job: JobState): XmlObject {
  return {
    ...reference("/jobs", job.id),
    description: job.description,
    auto_cleared: true,
    end_time: job.endedAt,
    external: false,
    last_updated: job.endedAt ?? job.startedAt,
    start_time: job.startedAt,
    status: job.status,
  };
}
