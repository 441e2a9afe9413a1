import { Matrix } from "@espalier/tensor"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { StartWorker } from "../workers.ts"
import { factor } from "./factorisations.ts"
import { Workshop } from "./workshop.ts"

it.effect("goes on with one thread where a worker is lost", () =>
  Effect.gen(function* () {
    let started = 0
    let stopped = 0
    const startWorker: StartWorker = (_, onProblem) => {
      started++
      onProblem("a worker thread ended")
      return { send: () => {}, wake: undefined, stop: async () => stopped++ }
    }
    const n = 500
    const a = Matrix.make(n, n)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) a.data[i * n + j] = a.data[j * n + i] = 1 / (1 + i - j)
      a.data[i * (n + 1)] = 20
    }
    const workshop = new Workshop({ threads: 2, startWorker, relaxed: false })
    const again = () =>
      workshop.do({
        operation: "cholesky",
        matrix: a,
        load: ({ triangle }) => triangle.load(a),
        steps: [factor],
        store: ({ triangle }) => {
          const result = Matrix.make(n, n)
          triangle.store(result.data)
          return result
        },
      })
    const expected = Matrix.cholesky(a)
    for (const { data } of [yield* again(), yield* again()]) {
      assert.isTrue(data.every((value, i) => Math.abs(value - expected.data[i]) < 1e-12))
    }
    assert.deepStrictEqual([started, stopped], [1, 1])
  }),
)
