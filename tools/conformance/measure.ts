import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import { Effect, Result } from "effect"

/** What is run on each device. */
export interface Plan {
  readonly seed: number
  /** Random graphs. */
  readonly count: number
  /** The random graphs of one device end after so many seconds, however many were asked for. */
  readonly seconds: number
}

/** The rows of the op table on one device: the worst error, or what went wrong. */
export interface RowResult {
  readonly name: string
  readonly tolerance: number
  readonly worst: number | undefined
  readonly problem: string | undefined
}

/** What became of one device. */
export interface Measured {
  readonly device: string
  readonly adapter: string
  readonly rows: ReadonlyArray<RowResult>
  /** Cases of scalar functions at their edges, of composites and of pairs that share memory. */
  readonly others: number
  readonly graphs: Conformance.GraphTally
  readonly wanted: number
  readonly problems: ReadonlyArray<string>
  readonly seconds: number
  readonly graphSeconds: number
}

type Say = (text: string) => void

const problemOf = <A, E extends Error, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.result(Effect.catchDefect(effect, (defect) => Effect.fail(new Error(String(defect))))),
    (result) => (Result.isSuccess(result) ? result.success : result.failure),
  )

const measureRows = Effect.fnUntraced(function* (seed: number) {
  const found = new Map<string, RowResult>()
  for (const one of [...Conformance.rowCases(seed), ...Conformance.viewCases(seed)]) {
    const result = yield* problemOf(Conformance.check(one))
    const name = one.name.replace(/ of views$/, "")
    const before = found.get(name)
    const failed = result instanceof Error
    const worst = failed ? before?.worst : Math.max(result, before?.worst ?? 0)
    const problem = failed ? result.message : before?.problem
    found.set(name, { name, tolerance: one.tolerance, worst, problem })
  }
  return [...found.values()]
})

const noGraphs: Conformance.GraphTally = {
  graphs: 0,
  kernels: 0,
  elements: 0,
  checked: 0,
  inPlace: 0,
}

/** Runs everything on the current device. */
export const measure = Effect.fnUntraced(function* (name: string, plan: Plan, say: Say) {
  const device = yield* Device
  const { seed, count } = plan
  const started = performance.now()
  const since = (start: number) => (performance.now() - start) / 1000
  say(`${name}: ${device.info.adapter}: rows of the op table`)
  const rows = yield* measureRows(seed)
  const problems = rows.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))

  say(`${name}: scalar functions at their edges, composites, pairs of programs`)
  const others = [
    ...Conformance.edgeCases(name === "webgpu").map((one) => Conformance.check(one)),
    ...(yield* Conformance.compositeCases()).map((one) => Conformance.check(one)),
    ...Array.from({ length: 20 }, (_, i) =>
      Conformance.checkInterleaved(
        Conformance.graphOf(seed, 2 * i),
        Conformance.graphOf(seed, 2 * i + 1),
      ),
    ),
  ]
  for (const one of others) {
    const result = yield* problemOf(one)
    if (result instanceof Error) problems.push(result.message)
  }

  const graphsStarted = performance.now()
  let said = graphsStarted
  let graphs = noGraphs
  const result = yield* problemOf(
    Conformance.checkGraphs({
      seed,
      count,
      repeat: `pnpm run conformance --seed ${seed} --device ${name}`,
      progress: (tally) => {
        graphs = tally
        if (performance.now() - said > 10_000) {
          said = performance.now()
          say(`${name}: ${tally.graphs} of ${count} random graphs`)
        }
        return since(graphsStarted) < plan.seconds
      },
    }),
  )
  if (result instanceof Error) problems.push(result.message)
  const measured: Measured = {
    device: name,
    adapter: device.info.adapter,
    rows,
    others: others.length,
    graphs,
    wanted: count,
    problems,
    seconds: since(started),
    graphSeconds: since(graphsStarted),
  }
  return measured
})
