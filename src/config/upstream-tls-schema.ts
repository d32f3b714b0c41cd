import * as z from "zod";
import { parseHostname } from "../route/hostname.ts";
import { accepted, pemSource } from "./scalars.ts";
import { hint } from "./wording.ts";

const serverNameHint = hint("a server's name", "the name in its certificate, such as catalog.internal");

/** How servers that the gateway connects to are verified, and how it shows itself to them. */
export const upstreamTlsSchema = z.strictObject({
  ca: pemSource("the authorities' certificates").optional(),
  serverName: z
    .string({ error: serverNameHint })
    .check(accepted(parseHostname))
    .refine((name) => !name.includes("*"), { error: serverNameHint })
    .transform((name) => name.toLowerCase())
    .optional(),
  cert: pemSource("a certificate").optional(),
  key: pemSource("a private key").optional(),
});

/** What `upstreamTlsSchema` gives. */
export type UpstreamTlsDocument = z.output<typeof upstreamTlsSchema>;
