/**
 * The conformance suite: what every device has to get right, made from the op table. Device
 * packages run it in their tests.
 *
 * - {@link rowCases}: each row of the op table with its own examples.
 * - {@link viewCases}: each row at extents of 1, 63, 64 and 65, on views of larger arrays. Extents of
 *   0 are refused when a tensor is made, so there is nothing to compute for them.
 * - {@link edgeCases}: each scalar function at the ends of its domain.
 * - {@link compositeCases}: programs as models have them, with their gradients.
 * - {@link checkGraphs}: random graphs and their gradients, within bounds that follow from the rows'
 *   tolerances; a failure is shrunk.
 * - {@link checkInterleaved}, {@link graphDigest}, {@link train}: programs that share memory, the same
 *   bits every time, and long runs.
 *
 * @module
 */
// First, since the files of the op table import each other: from here they load in order.
import { operations } from "../ops/table.ts"
import { Effect } from "effect"
import type { CheckError, ConformanceCase } from "./case.ts"
import { draw, generator } from "./case.ts"
import { callComposites } from "./calls.ts"
import { composites } from "./composites.ts"
import * as DeviceArray from "../device_array.ts"
import * as Interpreter from "../interpreter.ts"
import * as Programs from "../program.ts"
import { Spec } from "../program.ts"

export { checkGraph, GraphFailure } from "./agreement.ts"
export type { GraphTally } from "./agreement.ts"
export { checkInterleaved, digest, graphDigest } from "./bits.ts"
export { check, compare, ConformanceFailure, draw, generator } from "./case.ts"
export type { CheckError, ConformanceCase } from "./case.ts"
export { edgeCases } from "./edges.ts"
export { largeGraphs, randomGraph } from "./graphs.ts"
export type { GraphOptions, GraphRecipe } from "./graphs.ts"
export { rowCases, viewCases } from "./rows.ts"
export type { RowOptions } from "./rows.ts"
export { checkGraphs, daySeed, graphOf } from "./run.ts"
export type { GraphRun } from "./run.ts"
export { train } from "./training.ts"
export type { TrainingRun } from "./training.ts"

/** The rows of the op table that the suite covers: all that have examples. */
export const coveredRows: ReadonlyArray<string> = operations
  .filter((row) => row.examples.length > 0)
  .map((row) => row.name)

/** Fused programs (softmax, norms, attention, gradients), judged by the `f64` interpreter. */
export const compositeCases = (
  seed = 1,
): Effect.Effect<ReadonlyArray<ConformanceCase>, CheckError> =>
  Effect.forEach([...composites, ...callComposites], (composite, i) =>
    Effect.gen(function* () {
      const random = generator(seed * 7919 + i)
      const inputs = composite.inputs.map((input) => draw(input, random))
      const specs = inputs.map(({ shape, dtype }) => new Spec(shape, dtype))
      const program = Programs.make(composite.name, specs, (tensors) => composite.build(tensors))
      const run = yield* Programs.compile(program)
      const expected = yield* DeviceArray.toHostTree(yield* run(inputs as never))
      return { name: composite.name, program, inputs, expected, tolerance: composite.tolerance }
    }).pipe(Effect.scoped),
  ).pipe(Effect.provide(Interpreter.layer))
