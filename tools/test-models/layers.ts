import type { Statistic } from "@espalier/calibration"
import { makeGatherer, makePrograms, readLayerInputs } from "@espalier/calibration"
import { HostArray } from "@espalier/tensor"
import { type Rows, rowsOf } from "@espalier/testing"
import { Effect } from "effect"

export const toHost = (rows: Rows): HostArray.HostArray =>
  HostArray.make([rows.length, rows[0].length], rows.flat())

/** The rows of a weight. */
export const toRows = ({ shape, data }: HostArray.HostArray): Rows =>
  rowsOf(Array.from(data), shape[1])

/** What a walk hands to a method for one layer that sees these tokens. */
export const makeLayerProblem = Effect.fnUntraced(function* (
  statistic: Statistic,
  weight: Rows,
  tokens: Rows,
) {
  const [outputs, inputs] = [weight.length, weight[0].length]
  const linear = { name: "linear", path: "blocks.0.linear", shape: [outputs, inputs] } as const
  const programs = yield* makePrograms
  const shape = [1, tokens.length, inputs] as const
  const gatherer = yield* makeGatherer(statistic, shape)
  const gathered = yield* gatherer.add(yield* gatherer.zeros, HostArray.make(shape, tokens.flat()))
  const found = yield* readLayerInputs({ linears: [linear], statistics: gathered }, 1)
  return { linear, weight: toHost(weight), inputs: found, programs }
})
