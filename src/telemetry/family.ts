import { checkNames, familyHead, labelPairs, sampleLine } from "./exposition.ts";

const OTHER = "other";
const DEFAULT_MAX_SERIES = 1000;

export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** Series over this number are counted together, with `other` for each label. 1,000 unless given. */
  readonly maxSeries?: number;
}

/** One series that only grows. */
export interface Counter {
  /** Adds 1, or an amount of 0 or more. */
  add(amount?: number): void;
}

/** One series that goes up and down. */
export interface Gauge {
  add(amount: number): void;
  set(value: number): void;
}

export interface CounterFamily {
  /** The series of these label values, made on first use at 0; take it once and keep it on hot paths. */
  of(...values: readonly string[]): Counter;
}

export interface GaugeFamily {
  of(...values: readonly string[]): Gauge;
}

/** One value read at scrape, with its label values in the family's order. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number;
}

export interface CollectedOptions extends FamilyOptions {
  readonly type: "counter" | "gauge";
  /** Called at each scrape. Samples with equal labels are added up. */
  read(): Iterable<Sample>;
}

/** A family that renders itself. */
export interface Rendered {
  render(): string | Promise<string>;
}

interface Cell {
  readonly pairs: string;
  value: number;
}

/** Cells by label values, bounded: what comes over is one cell named `other`. */
function createCells(options: FamilyOptions): { readonly all: Map<string, Cell>; of(values: readonly string[]): Cell } {
  const names = options.labels ?? [];
  const maxSeries = options.maxSeries ?? DEFAULT_MAX_SERIES;
  checkNames(options.name, names);
  const all = new Map<string, Cell>();

  function make(pairs: string): Cell {
    const cell = { pairs, value: 0 };
    all.set(pairs, cell);
    return cell;
  }

  function of(values: readonly string[]): Cell {
    if (values.length !== names.length)
      throw new TypeError(`metric ${options.name} takes ${names.length} label values`);
    const pairs = labelPairs(names, values);
    const known = all.get(pairs);
    if (known !== undefined) return known;
    if (all.size < maxSeries) return make(pairs);
    const rest = labelPairs(
      names,
      names.map(() => OTHER),
    );
    return all.get(rest) ?? make(rest);
  }

  return { all, of };
}

function cellsText(options: FamilyOptions, type: "counter" | "gauge", cells: Iterable<Cell>): string {
  let text = familyHead(options.name, options.help, type);
  for (const cell of cells) text += sampleLine(options.name, cell.pairs, cell.value);
  return text;
}

/** Counters of one name. Without labels its one series is there at once, at 0. */
export function createCounterFamily(options: FamilyOptions): CounterFamily & Rendered {
  const cells = createCells(options);
  if (options.labels === undefined) cells.of([]);
  return {
    of: (...values) => {
      const cell = cells.of(values);
      return {
        add: (amount = 1) => {
          cell.value += amount;
        },
      };
    },
    render: () => cellsText(options, "counter", cells.all.values()),
  };
}

/** Gauges of one name. Without labels its one series is there at once, at 0. */
export function createGaugeFamily(options: FamilyOptions): GaugeFamily & Rendered {
  const cells = createCells(options);
  if (options.labels === undefined) cells.of([]);
  return {
    of: (...values) => {
      const cell = cells.of(values);
      return {
        add: (amount) => {
          cell.value += amount;
        },
        set: (value) => {
          cell.value = value;
        },
      };
    },
    render: () => cellsText(options, "gauge", cells.all.values()),
  };
}

/** A family whose values are asked for at each scrape; what is no longer told is no longer shown. */
export function createCollectedFamily(options: CollectedOptions): Rendered {
  checkNames(options.name, options.labels ?? []);
  return {
    render: () => {
      const cells = createCells(options);
      for (const sample of options.read()) cells.of(sample.labels).value += sample.value;
      return cellsText(options, options.type, cells.all.values());
    },
  };
}
