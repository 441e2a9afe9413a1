import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import { it } from "@effect/vitest"
import { Effect } from "effect"
import type { Strategy } from "./templates/strategy.ts"
import { describeOn, gpuStrategy, openDevice } from "./testing/harness.ts"

const seed = Number(process.env["ESPALIER_SEED"] ?? Conformance.daySeed())
const repeat = `ESPALIER_SEED=${seed} pnpm --dir packages/webgpu exec vitest run overrides`
console.log(`random graphs of seed ${seed}; again with: ${repeat}`)

/** The choices of a GPU; what is chosen by size is chosen always, so that small tests see it. */
const gpu = (subgroup: number): Strategy => ({
  ...gpuStrategy(256, subgroup),
  vectorElements: 1,
  reduce: "lanes",
  reduceLanes: 32,
  rowLanes: 64,
  rowsAtLeast: 1,
  scan: "lanes",
  scanLanes: 32,
  scatterFew: 2,
  scatterTiles: 3,
})

/** Kernels that were written for hardware, whatever the adapter of this machine is. */
const sets: Readonly<Record<string, Partial<Strategy>>> = {
  "a GPU": gpu(0),
  "a GPU with subgroups": { ...gpu(8), unroll: false },
  "long folds and scans, cut in pieces": {
    ...gpuStrategy(64),
    splitLength: 50,
    splitOutputs: 100,
    splitChunks: 7,
    reduce: "serial",
    rows: "serial",
    unroll: false,
  },
}

/** Milliseconds: a software driver takes half a second for a kernel that is unrolled. */
const patience = 600_000

const devices = await Promise.all(
  Object.entries(sets).map(
    async ([name, override]) => [name, await openDevice({ poison: true, override })] as const,
  ),
)
/** Long chains of integers: many kernels to compile, and nothing in them to choose. */
const indifferent = new Set(["random bits", "random numbers"])
const composites = await Effect.runPromise(Conformance.compositeCases())
const cases = [
  ...Conformance.rowCases(seed, { atMost: 2 }),
  ...composites.filter(({ name }) => !indifferent.has(name)),
]

for (const [name, device] of devices) {
  describeOn(device, `the kernels of ${name}`, (device) => {
    it.effect(
      "pass the conformance suite",
      () =>
        Effect.forEach(cases, (one) => Conformance.check(one), { discard: true }).pipe(
          Effect.provideService(Device, device),
        ),
      patience,
    )
    it.effect(
      "compute 10 random graphs and 4 large ones",
      () =>
        Effect.gen(function* () {
          yield* Conformance.checkGraphs({ seed, count: 10, repeat })
          const large = { ...Conformance.largeGraphs, largest: 20_000 }
          yield* Conformance.checkGraphs({ ...large, seed, count: 4, repeat })
        }).pipe(Effect.provideService(Device, device)),
      patience,
    )
  })
}
