import type { Device } from "@espalier/tensor"
import { DeviceArray, HostArray, Program, Spec } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { Accumulator, Accumulators, Statistic } from "./statistic.ts"

type Named = readonly [name: string, accumulator: Accumulator]

/** Bytes of accumulators that are added to at once. */
const most = 16 * 2 ** 20

const bytesOf = ({ spec }: Accumulator): number =>
  4 * spec.shape.reduce((product, extent) => product * extent, 1)

/** Accumulators in groups: one program for many is faster, and has all of its sums twice. */
const groupsOf = (accumulators: ReadonlyArray<Named>): ReadonlyArray<ReadonlyArray<Named>> => {
  const groups: Array<Array<Named>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const named of accumulators) {
    bytes += bytesOf(named[1])
    if (bytes > most) {
      groups.push([])
      bytes = bytesOf(named[1])
    }
    groups.at(-1)!.push(named)
  }
  return groups
}

/** Adds a batch of inputs to a group of accumulators. */
const compileAdder = (group: ReadonlyArray<Named>, input: Spec) => {
  const sums = Object.fromEntries(group.map(([name, { spec }]) => [name, spec]))
  return Program.compile(
    Program.make("add up", { sums, input }, (given) =>
      Object.fromEntries(
        group.map(([name, { add }]) => [name, add(given.sums[name], given.input)]),
      ),
    ),
  )
}

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
 * are made one by one, and added to in groups: beside all of them there are 16 MiB twice at a time.
 */
export const makeGatherer = Effect.fnUntraced(function* (
  statistic: Statistic,
  shape: readonly [batch: number, length: number, inputs: number],
) {
  const accumulators = Object.entries(statistic.accumulators(shape[2]))
  const adders = yield* Effect.forEach(groupsOf(accumulators), (group) =>
    Effect.map(compileAdder(group, Spec.f32(shape)), (add) => ({
      add,
      names: group.map(([name]) => name),
    })),
  )
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
      let next: Sums = {}
      for (const { add, names } of adders) {
        const given = Object.fromEntries(names.map((name) => [name, sums[name]]))
        next = { ...next, ...(yield* add({ sums: given, input }, { donate: ["sums"] })) }
      }
      return next
    }),
  }
  return gatherer
})
