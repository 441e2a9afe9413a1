import type { Device } from "@espalier/tensor"
import { DeviceArray, HostArray, Program, Spec } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { Accumulator, Accumulators, Statistic } from "./statistic.ts"

const adderOf = ({ spec, add }: Accumulator, input: Spec) =>
  Program.compile(
    Program.make("add up", { sum: spec, input }, (given) => add(given.sum, given.input)),
  )

type Sums = Accumulators<DeviceArray.DeviceArray>

/** What adds up a statistic over batches; see {@link makeGatherer}. */
export interface Gatherer {
  /** Accumulators at zero. */
  readonly zeros: Effect.Effect<Sums, Program.RunError, Device | Scope.Scope>
  /** The sums with one batch more; those that are given are used up. */
  readonly add: (
    sums: Sums,
    input: DeviceArray.DeviceArray | HostArray.HostArray,
  ) => Effect.Effect<Sums, Program.RunError, Device | Scope.Scope>
}

/**
 * What gathers a statistic from batches of inputs of one shape, [batch, length, inputs]. Accumulators
 * are made and added to one by one: beside all of them there is only one twice at a time.
 */
export const makeGatherer = Effect.fnUntraced(function* (
  statistic: Statistic,
  shape: readonly [batch: number, length: number, inputs: number],
) {
  const accumulators = Object.entries(statistic.accumulators(shape[2]))
  const adders: Record<string, Effect.Success<ReturnType<typeof adderOf>>> = {}
  for (const [name, accumulator] of accumulators) {
    adders[name] = yield* adderOf(accumulator, Spec.f32(shape))
  }
  const gatherer: Gatherer = {
    zeros: Effect.gen(function* () {
      const sums: Record<string, DeviceArray.DeviceArray> = {}
      for (const [name, { spec }] of accumulators) {
        sums[name] = yield* DeviceArray.fromHost(HostArray.zeros(spec.shape, spec.dtype))
      }
      return sums
    }),
    add: Effect.fnUntraced(function* (
      sums: Sums,
      input: DeviceArray.DeviceArray | HostArray.HostArray,
    ) {
      const next: Record<string, DeviceArray.DeviceArray> = {}
      for (const [name, add] of Object.entries(adders)) {
        next[name] = yield* add({ sum: sums[name], input }, { donate: ["sum"] })
      }
      return next
    }),
  }
  return gatherer
})
