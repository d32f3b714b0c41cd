import type * as z from "zod";
import { mergeViews } from "../service/view-merge.ts";
import type { ServiceView } from "../service/view-schema.ts";
import { turn } from "./json-text.ts";
import { limitsDocument } from "./limits-merge.ts";
import { limitsView } from "./limits-schema.ts";
import {
  routesView,
  type ServiceDetail,
  type ServicesView,
  serviceDetail,
  servicesView,
  statusView,
} from "./schemas.ts";
import type { AdminSource, WorkerServices } from "./source.ts";

/** What is shown; `absent`: there is none of that name; `silent`: nobody who would know answered in time. */
export type Found = Readonly<Record<string, unknown>> | "absent" | "silent";

/** Something that the admin API shows. */
export interface Resource {
  /** Its parameters as in `/v1/services/:name`; each is a name of one segment. */
  readonly path: string;
  readonly summary: string;
  readonly schema: z.ZodType;
  /** `name` is "" where the path has no parameter. */
  readonly read: (source: AdminSource, name: string) => Promise<Found>;
}

/** All that there is to be read, in the order in which it is documented. */
export const RESOURCES: readonly Resource[] = [
  {
    path: "/v1/status",
    summary: "The gateway: versions, readiness, listeners, workers, store",
    schema: statusView,
    read: async (source) => source.status(),
  },
  {
    path: "/v1/routes",
    summary: "The routes in force",
    schema: routesView,
    read: async (source) => source.routes(),
  },
  {
    path: "/v1/services",
    summary: "The services in force, with their endpoints as they are now",
    schema: servicesView,
    read: async (source) => await all(await source.services(null)),
  },
  {
    path: "/v1/services/:name",
    summary: "One service, and what each worker knows of it",
    schema: serviceDetail,
    read: async (source, name) => one(await source.services(name)),
  },
  {
    path: "/v1/limits",
    summary: "The limits, the mode that they are in, and what each worker knows of that",
    schema: limitsView,
    read: async (source) => limitsDocument(await source.limits()),
  },
];

function whoAnswered(workers: readonly WorkerServices[]): Pick<ServicesView, "answered" | "missing"> {
  const numbers = (list: readonly WorkerServices[]) => list.map(({ worker }) => worker);
  return {
    answered: numbers(workers.filter(({ services }) => services !== null)),
    missing: numbers(workers.filter(({ services }) => services === null)),
  };
}

/** After so many services others get a turn. */
const TURN_SERVICES = 50;

async function all(workers: readonly WorkerServices[]): Promise<ServicesView> {
  const byName = new Map<string, [ServiceView, ...ServiceView[]]>();
  for (const view of workers.flatMap(({ services }) => services ?? [])) {
    const known = byName.get(view.name);
    if (known === undefined) byName.set(view.name, [view]);
    else known.push(view);
  }
  const services: ServiceView[] = [];
  for (const views of byName.values()) {
    if (services.length % TURN_SERVICES === TURN_SERVICES - 1) await turn();
    services.push(mergeViews(views));
  }
  return { services, ...whoAnswered(workers) };
}

function one(workers: readonly WorkerServices[]): ServiceDetail | "absent" | "silent" {
  if (workers.every(({ services }) => services === null)) return "silent";
  const told = workers.flatMap(({ worker, services }) => (services ?? []).map((service) => ({ worker, service })));
  const [first, ...rest] = told.map(({ service }) => service);
  if (first === undefined) return "absent";
  return { service: mergeViews([first, ...rest]), workers: told, ...whoAnswered(workers) };
}
