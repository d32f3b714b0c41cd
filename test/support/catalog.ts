import type { OpenCatalog } from "../../src/config/catalog.ts";

/** Placeholder until the built-in plugins stand: knows none. */
export const openCatalog: OpenCatalog = async () => ({ get: () => undefined, names: () => [] });
