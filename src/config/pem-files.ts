import { isAbsolute, resolve } from "node:path";
import { addFault, type Building } from "./building.ts";
import { placeOf, type Spot } from "./check.ts";
import { shownPath } from "./files.ts";
import { pathKey } from "./path.ts";
import { isBarePem, isInlinePem } from "./pem.ts";
import { readFault, readRegularFileSync } from "./regular-file.ts";

/** A PEM text, what it is called in faults, and where the configuration names it. */
export interface PemAt {
  readonly text: string;
  readonly origin: string;
  readonly spot: Spot;
}

/** Reads the PEM texts that a configuration names. Made once for each loading. */
export interface PemFiles {
  /** The text of a file, or an inline one; null, with a fault, when there is none. */
  read(written: string, spot: Spot): PemAt | null;
  /** Absolute paths of the files that were asked for, readable or not. */
  paths(): readonly string[];
}

export interface PemFilesDeps {
  /** Relative paths start here. */
  readonly folder: string;
  /** Files are shown relative to it. */
  readonly cwd: string;
  readonly building: Pick<Building, "issues">;
}

function read(path: string): { readonly text: string } | { readonly fault: string } {
  try {
    return { text: readRegularFileSync(path).toString("latin1") };
  } catch (error) {
    return { fault: readFault(error) };
  }
}

/** A reader that reads each file once, so that all who name it see the same. */
export function createPemFiles({ folder, cwd, building }: PemFilesDeps): PemFiles {
  const known = new Map<string, ReturnType<typeof read>>();

  function readFile(written: string, spot: Spot): PemAt | null {
    const path = isAbsolute(written) ? written : resolve(folder, written);
    const found = known.get(path) ?? read(path);
    known.set(path, found);
    const origin = shownPath(path, cwd);
    if ("text" in found) return { text: found.text, origin, spot };
    addFault(building, spot, `${origin} ${found.fault}`);
    return null;
  }

  return {
    read(written, spot) {
      // A placeholder in it could not be filled, and that is said already.
      if (spot.document.unfilled.has(pathKey(spot.path))) return null;
      if (isInlinePem(written)) return { text: written, origin: "the PEM text", spot };
      if (!isBarePem(written)) return readFile(written, spot);
      const message =
        "is neither a path nor a PEM text; write the path of a file, or a text that begins with -----BEGIN";
      building.issues.push({ ...placeOf(spot), message });
      return null;
    },
    paths: () => [...known.keys()],
  };
}
