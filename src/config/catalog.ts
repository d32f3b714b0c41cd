import type { Plugin } from "../plugin.ts";

/** The plugins that a configuration may name: the built-in ones, the user's own, and loaded modules. */
export interface Catalog {
  get(name: string): Plugin | undefined;
  /** For suggestions when a name is unknown. */
  names(): readonly string[];
}

/** What a configuration asks of a catalog. */
export interface CatalogWish {
  /** Absolute folder of the user's own plugins; null: none. */
  readonly folder: string | null;
  /** Every name that is used, once, so that modules can be imported ahead. */
  readonly names: readonly string[];
}

/** Opens the catalog of one loading; may reject with a ConfigError, whose faults join the others. */
export type OpenCatalog = (wish: CatalogWish) => Promise<Catalog>;
