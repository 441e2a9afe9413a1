import * as Conformance from "@espalier/tensor/conformance"
import { Effect } from "effect"
import * as Wasm from "../mod.ts"

/** What is computed, and by how many threads. */
export interface BitsRun {
  readonly threads: number
  readonly seed: number
  readonly count: number
}

/**
 * Digests of random graphs, small ones and such that are shared between threads, and of a training
 * run of 50 steps: the same on every thread count, in every run and every process.
 */
export const bits = ({ threads, seed, count }: BitsRun) =>
  Effect.gen(function* () {
    const graphs = Array.from({ length: count }, (_, i) =>
      Conformance.graphOf(seed, i, i % 2 === 0 ? {} : Conformance.largeGraphs),
    )
    const found = yield* Effect.forEach(graphs, Conformance.graphDigest)
    const { state } = yield* Conformance.train({ steps: 50, batch: 128, width: 64, hidden: 128 })
    return [...found, Conformance.digest(state)]
  }).pipe(Effect.provide(Wasm.layer({ threads })))
