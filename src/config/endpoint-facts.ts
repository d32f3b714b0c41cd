import * as z from "zod";
import type { EndpointSpec } from "../registry/registry.ts";
import type { SubsetSelector } from "../service/options.ts";
import { hint, wrong } from "./wording.ts";

function plainText(what: string, example: string, pattern = /^[\x21-\x7e]{1,128}$/): z.ZodString {
  const plain = hint(what, `a short text without spaces, for example ${example}`);
  // YAML takes a version such as 2 for a number.
  const error = (issue: { readonly input?: unknown }) =>
    typeof issue.input === "number" ? wrong(issue.input, "a text", `"${issue.input}"`) : plain(issue);
  return z.string({ error }).regex(pattern, { error });
}

/** Where an endpoint stands. */
export const zoneName = plainText("a zone", "eu-1");
/** Where the gateway stands; empty, as a variable that is not set leaves it: nobody says. */
export const ownZone = plainText("a zone", "eu-1", /^[\x21-\x7e]{0,128}$/);
/** What an endpoint runs. */
export const versionText = plainText("a version", "v2");
/** What else is said of an endpoint. */
export const tagText = plainText("a tag", "canary");

/** The `subset` of a backend. */
export const subset = z
  .strictObject({ version: versionText.optional(), tags: z.array(tagText).min(1).optional() })
  .refine(({ version, tags }) => version !== undefined || tags !== undefined, {
    error: 'says nothing; write for example { version: "2" } or { tags: [canary] }',
  });

/** What a backend's `subset` asks for; null where it is not written. */
export function subsetSelector(written: z.output<typeof subset> | undefined): SubsetSelector | null {
  return written === undefined ? null : { version: written.version ?? null, tags: written.tags ?? [] };
}

interface Facts {
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** What is written of an endpoint, without what is not. */
export function endpointFacts({ zone, version, tags }: Facts): Pick<EndpointSpec, "zone" | "version" | "tags"> {
  return {
    ...(zone === undefined ? {} : { zone }),
    ...(version === undefined ? {} : { version }),
    ...(tags === undefined ? {} : { tags }),
  };
}
