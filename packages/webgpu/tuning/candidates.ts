import type { Ir } from "@espalier/tensor"
import type { Strategy } from "../templates/strategy.ts"
import * as Kernels from "./tuning_kernels.ts"

/** A question about an adapter: which of these choices runs this kernel fastest? */
export interface Question {
  readonly about: string
  readonly kernel: Ir.Kernel
  /** The first is what the table says. */
  readonly choices: ReadonlyArray<Partial<Strategy>>
}

const powers = (from: number, to: number): ReadonlyArray<number> => {
  const list: Array<number> = []
  for (let value = from; value <= to; value *= 2) list.push(value)
  return list
}

/** The questions that are worth asking an adapter of a kind. */
export const questionsFor = (base: Strategy): ReadonlyArray<Question> => {
  const { software, maximumInvocations, subgroup } = base
  const size = software ? 256 : 1024
  const rows = software ? 512 : 8192
  const lanes = powers(software ? 8 : 32, Math.min(256, maximumInvocations))
  const first = (keys: ReadonlyArray<keyof Strategy>): Partial<Strategy> =>
    Object.fromEntries(keys.map((key) => [key, base[key]]))
  const products: ReadonlyArray<Partial<Strategy>> = [
    { contract: "registers", contractLanes: 8 },
    { contract: "registers", contractLanes: 64 },
    ...(subgroup >= 8 ? [{ contract: "broadcast" } as const] : []),
    ...(maximumInvocations >= 256 && !software
      ? ([
          { contract: "tiled", contractTile: 4 },
          { contract: "tiled", contractTile: 8 },
        ] as const)
      : []),
  ]
  const questions: ReadonlyArray<Question> = [
    {
      about: "matrix products",
      kernel: Kernels.product(size),
      choices: [first(["contract", "contractLanes", "contractTile"]), ...products],
    },
    {
      about: "elementwise kernels",
      kernel: Kernels.addition(software ? 2 ** 20 : 2 ** 24),
      choices: [
        first(["lanes", "vectorElements"]),
        ...lanes.filter((lanes) => lanes >= 32).map((lanes) => ({ lanes })),
        { vectorElements: 2 ** 30 },
      ],
    },
    {
      about: "reductions",
      kernel: Kernels.rowSums(rows, 1024),
      choices: [
        first(["reduce", "reduceLanes", "subgroup"]),
        { reduce: "serial" },
        ...lanes.map((reduceLanes) => ({ reduce: "lanes" as const, reduceLanes })),
      ],
    },
    {
      about: "row kernels",
      kernel: Kernels.rowShares(rows, 1024),
      choices: [
        first(["rows", "rowLanes", "rowSerialLanes"]),
        { rows: "serial" },
        ...lanes.map((rowLanes) => ({ rows: "lanes" as const, rowLanes })),
      ],
    },
    {
      about: "scans",
      kernel: Kernels.runningSums(rows / 8, 2048),
      choices: [
        first(["scan", "scanLanes"]),
        { scan: "serial" },
        ...lanes.map((scanLanes) => ({ scan: "auto" as const, scanLanes })),
      ],
    },
    {
      about: "scatters",
      kernel: Kernels.rowUpdates(2048, rows, 128),
      choices: [
        first(["scatter", "scatterInvocations", "scatterTiles"]),
        { scatter: "lists" },
        ...powers(128, software ? 512 : 2 ** 16).map((scatterInvocations) => ({
          scatter: "walk" as const,
          scatterInvocations,
        })),
      ],
    },
  ]
  return questions
}
