import { Ir } from "@espalier/tensor"
import type { ProgressUpdate } from "@espalier/runtime"
import { Progress } from "@espalier/runtime"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { openContext } from "../device.ts"
import { describeOn, gpuStrategy, openDevice, runSchedule, values } from "../testing/harness.ts"
import { questionsFor } from "./candidates.ts"
import { tune } from "./tune.ts"
import * as Kernels from "./tuning_kernels.ts"

const device = await openDevice()

describe("questions", () => {
  for (const [name, base] of [
    ["a GPU", gpuStrategy(1024, 32)],
    ["a small GPU", gpuStrategy(64)],
    ["a software driver", { ...gpuStrategy(1024, 8), software: true }],
  ] as const) {
    it(`for ${name} begin with what the table says, and stay inside its limits`, () => {
      for (const { choices } of questionsFor(base)) {
        assert.isAbove(choices.length, 1)
        for (const [field, value] of Object.entries(choices[0])) {
          assert.strictEqual(value, base[field as keyof typeof base])
        }
        for (const { lanes = 1, reduceLanes = 1, rowLanes = 1, scanLanes = 1 } of choices.slice(
          1,
        )) {
          assert.isAtMost(
            Math.max(lanes, reduceLanes, rowLanes, scanLanes),
            base.maximumInvocations,
          )
        }
      }
    })
  }
})

describeOn(device, "tuning", (device) => {
  it.live("prefers what is faster, says how far it is, and frees what it took", () =>
    Effect.gen(function* () {
      const { base, context } = yield* openContext({})
      const seen: Array<ProgressUpdate> = []
      const slow = { scatter: "walk", scatterInvocations: 2 ** 22 } as const
      const found = yield* tune({ ...base, ...slow }, context, [
        {
          about: "scatters",
          kernel: Kernels.rowUpdates(1024, 512, 64),
          choices: [slow, { scatter: "walk", scatterInvocations: 128 }],
        },
      ]).pipe(
        Effect.provideService(Progress, {
          report: (update) => Effect.sync(() => seen.push(update)),
        }),
      )
      assert.deepStrictEqual(found, { scatter: "walk", scatterInvocations: 128 })
      assert.deepStrictEqual(
        seen.map(({ completed }) => completed),
        [0, 1],
      )
      assert.match(seen[1].note ?? "", /^scatters: \d+\.\d ×$/)
      assert.strictEqual(context.memory.liveBytes, 0)
    }).pipe(Effect.scoped),
  )
  it.effect("asks with kernels that compute what their name says", () =>
    Effect.gen(function* () {
      const shares = Kernels.rowShares(3, 5)
      const [found] = yield* runSchedule(device, Ir.scheduleOf(shares), [
        values(15).map((x) => Math.abs(x) + 1),
      ])
      const sum = [...found].slice(5, 10).reduce((a, b) => a + b, 0)
      assert.closeTo(sum, 1, 1e-6)
      const running = Kernels.runningSums(2, 4)
      const [sums] = yield* runSchedule(device, Ir.scheduleOf(running), [
        Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      ])
      assert.deepStrictEqual([...sums], [1, 3, 6, 10, 5, 11, 18, 26])
    }),
  )
})
