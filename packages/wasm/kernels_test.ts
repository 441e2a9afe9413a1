import { Device } from "@espalier/tensor"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { layer } from "./mod.ts"
import type { Folding, View } from "./testing/kernels.ts"
import * as Kernels from "./testing/kernels.ts"
import type { KernelCase } from "./testing/run_kernel.ts"
import { difference, expected, runOn } from "./testing/run_kernel.ts"

const scope = Effect.runSync(Scope.make())
const devices = await Effect.runPromise(
  Effect.forEach([1, 2], (threads) =>
    Effect.map(Layer.buildWithScope(layer({ threads, poison: true }), scope), (context) =>
      Context.get(context, Device),
    ),
  ),
)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** The interpreter's values, and the same bits from one thread and from two. */
const agrees = (kernelCase: KernelCase, tolerance = 0) =>
  Effect.gen(function* () {
    const wanted = yield* expected(kernelCase)
    const runs = yield* Effect.forEach(devices, (device) => runOn(device, kernelCase))
    for (const [i, values] of wanted.entries()) {
      const error = difference(runs[0][i], values)
      assert.isAtMost(error, tolerance, `${kernelCase.kernel.name}, output ${i}`)
      assert.deepStrictEqual(runs[1][i], runs[0][i], `${kernelCase.kernel.name}, two threads`)
    }
  })

const sizes = [1, 3, 4, 5, 63, 64, 65]
const views = Object.keys(Kernels.views) as ReadonlyArray<View>
const half = 2 ** -24

describe("map", () => {
  for (const view of views) {
    it.effect(`reads ${view} matrices of awkward sizes`, () =>
      Effect.gen(function* () {
        for (const rows of [1, 3, 5, 64]) {
          for (const columns of sizes) yield* agrees(Kernels.mapCase(rows, columns, view), 2 * half)
        }
      }),
    )
  }
  it.effect("turns blocks of transposed matrices", () =>
    Effect.gen(function* () {
      for (const rows of [8, 9, 31, 68]) {
        for (const columns of [8, 11, 64, 135]) {
          yield* agrees(Kernels.mapCase(rows, columns, "transposed"), 2 * half)
        }
      }
    }),
  )
  it.effect("gathers", () =>
    Effect.gen(function* () {
      for (const rows of sizes) {
        for (const columns of sizes) yield* agrees(Kernels.gatherCase(rows, columns), 2 * half)
      }
    }),
  )
  it.effect("shares large maps between threads", () =>
    agrees(Kernels.mapCase(301, 1003, "transposed"), 2 * half),
  )
})

describe("reduce", () => {
  const foldings: ReadonlyArray<Folding> = ["sum", "maximum", "argmax", "any"]
  for (const folding of foldings) {
    for (const axis of [0, 1] as const) {
      it.effect(`takes the ${folding} over axis ${axis}`, () =>
        Effect.gen(function* () {
          for (const view of views) {
            for (const rows of [1, 3, 5, 65]) {
              for (const columns of [1, 4, 5, 67]) {
                const kernelCase = Kernels.reduceCase(rows, columns, axis, view, folding)
                yield* agrees(kernelCase, folding === "sum" ? 16 * half : 0)
              }
            }
          }
        }),
      )
    }
  }
  it.effect("cuts a long reduction into blocks that do not depend on the threads", () =>
    Effect.gen(function* () {
      yield* agrees(Kernels.reduceCase(1, 300_007, 1, "plain", "sum"), 1e-5)
      yield* agrees(Kernels.reduceCase(3, 100_003, 1, "flipped", "maximum"))
      yield* agrees(Kernels.reduceCase(2, 100_003, 1, "plain", "argmax"))
      yield* agrees(Kernels.reduceCase(513, 1025, 0, "plain", "sum"), 1e-5)
    }),
  )
})

describe("scan", () => {
  it.effect("runs along rows", () =>
    Effect.gen(function* () {
      for (const rows of sizes) {
        for (const length of sizes) {
          yield* agrees(Kernels.scanCase(rows, length, "sum"), 64 * half)
          yield* agrees(Kernels.scanCase(rows, length, "argmax"))
        }
      }
      yield* agrees(Kernels.scanCase(200, 3000, "sum"), 1e-4)
    }),
  )
})

describe("scatter", () => {
  for (const mode of ["set", "add"] as const) {
    it.effect(`${mode}s rows, ignoring those out of range`, () =>
      Effect.gen(function* () {
        for (const inner of [1, 3, 4, 5, 64, 67]) {
          for (const withInitial of [false, true]) {
            yield* agrees(Kernels.scatterCase(37, 9, inner, mode, withInitial), 16 * half)
          }
        }
        yield* agrees(Kernels.scatterCase(5000, 301, 64, mode, true), 1e-5)
        yield* agrees(Kernels.scatterCase(9000, 301, 17, mode, true), 1e-5)
      }),
    )
  }
})

describe("contract", () => {
  const layouts = ["plain", "transposed"] as const
  for (const left of layouts) {
    for (const right of layouts) {
      it.effect(`multiplies a ${left} by a ${right} matrix`, () =>
        Effect.gen(function* () {
          for (const m of [1, 2, 3, 4, 5, 67]) {
            for (const n of [1, 3, 4, 5, 65]) {
              for (const k of [1, 3, 4, 65]) {
                const options = { left, right, epilogue: (m + n) % 2 === 0 }
                yield* agrees(Kernels.contractCase(m, n, k, options), 1e-5)
              }
            }
          }
        }),
      )
    }
  }
  it.effect("takes packed codes out of their words", () =>
    Effect.gen(function* () {
      for (const bits of [4, 8] as const) {
        for (const layout of ["rows", "columns"] as const) {
          for (const m of [1, 2, 7, 65]) {
            for (const n of [1, 4, 12, 13, 40]) {
              for (const k of [3, 12, 40, 72]) {
                yield* agrees(Kernels.codesCase(bits, [m, n, k], layout), 1e-5)
              }
            }
          }
          yield* agrees(Kernels.codesCase(bits, [1, 1096, 64], layout), 1e-5)
          for (const columns of [1, 7, 8, 12, 64, 100]) {
            yield* agrees(Kernels.decodeCase(bits, [9, columns], layout), 4 * half)
          }
        }
      }
    }),
  )
  it.effect("expands two of four", () =>
    Effect.gen(function* () {
      for (const m of [1, 3, 9, 65]) {
        for (const n of [1, 6, 8, 40]) {
          for (const k of [4, 12, 64]) yield* agrees(Kernels.twoOfFourCase(m, n, k), 1e-5)
        }
      }
    }),
  )
  it.effect("fits tiles to every number of rows and columns", () =>
    Effect.gen(function* () {
      for (const m of [4, 6, 11, 12, 13, 17, 24, 25, 70]) {
        for (const n of [4, 8, 9, 10, 11, 15, 16, 33]) {
          for (const k of [1, 17, 390]) {
            yield* agrees(Kernels.contractCase(m, n, k, { epilogue: (m + n) % 2 === 0 }), 1e-5)
          }
        }
      }
    }),
  )
  it.effect("blocks large matrices", () =>
    Effect.gen(function* () {
      yield* agrees(Kernels.contractCase(133, 517, 900, { epilogue: true }), 1e-5)
      yield* agrees(Kernels.contractCase(1100, 70, 401, { left: "transposed" }), 1e-5)
      yield* agrees(Kernels.contractCase(1, 1500, 700, { right: "plain", epilogue: true }), 1e-5)
      yield* agrees(Kernels.contractCase(2, 1500, 301, { right: "transposed" }), 1e-5)
      yield* agrees(Kernels.contractCase(4, 1500, 301, { right: "plain" }), 1e-5)
      yield* agrees(Kernels.contractCase(650, 41, 800, { right: "transposed" }), 1e-5)
    }),
  )
  it.effect("shares the inner steps of a few rows between threads", () =>
    Effect.gen(function* () {
      for (const m of [1, 2, 3]) {
        for (const [n, k] of [
          [2101, 261],
          [330, 1003],
          [1030, 513],
        ] as const) {
          yield* agrees(Kernels.contractCase(m, n, k, { epilogue: m !== 2 }), 1e-5)
        }
      }
      yield* agrees(Kernels.contractCase(1031, 1, 300, { left: "transposed" }), 1e-5)
      for (const bits of [4, 8] as const) {
        yield* agrees(Kernels.codesCase(bits, [1, 1096, 264], "rows"), 1e-5)
        yield* agrees(Kernels.codesCase(bits, [2, 1096, 264], "columns"), 1e-5)
      }
    }),
  )
  it.effect("multiplies batches", () =>
    Effect.gen(function* () {
      for (const right of ["plain", "transposed", "shared"] as const) {
        for (const m of [1, 2, 7, 33]) {
          const options = { batch: [3, 5], right, epilogue: true }
          yield* agrees(Kernels.contractCase(m, 19, 21, options), 1e-5)
        }
      }
      yield* agrees(Kernels.contractCase(0, 4, 3), 1e-5)
      yield* agrees(Kernels.contractCase(3, 4, 0, { epilogue: true }), 1e-5)
    }),
  )
})
