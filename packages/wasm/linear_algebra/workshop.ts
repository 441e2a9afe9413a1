import type { Matrix } from "@espalier/tensor"
import { NotPositiveDefinite, ShapeError } from "@espalier/tensor"
import { Effect, Semaphore } from "effect"
import type { ThreadsLost } from "../threads.ts"
import type { EngineOptions, Work } from "./engine.ts"
import { Engine, fits, NoRoom } from "./engine.ts"
import type { Steps } from "./factorisations.ts"
import { BadPivot } from "./factorisations.ts"

/** An engine whose own memory has grown past this is not kept: it cannot shrink. */
const keptBytes = 64 * 2 ** 20

/** Other fibers get their turn after so much work, between columns of tiles. */
const turnMilliseconds = 50

/** What is to be done with a matrix, and with right sides of systems where there are any. */
export interface Job {
  readonly operation: string
  readonly layer?: string | undefined
  readonly matrix: Matrix.Matrix
  readonly right?: Matrix.Matrix
  readonly load: (work: Work) => void
  readonly steps: ReadonlyArray<(engine: Engine, work: Work) => Steps>
  readonly store: (work: Work) => Matrix.Matrix
  /** The number that a row has for whoever asks. */
  readonly numberOf?: (row: number) => number
}

const shapeProblem = ({ matrix, right }: Job, threads: number): string | undefined => {
  if (matrix.rows !== matrix.columns) return "needs a square matrix"
  if (right !== undefined && right.rows !== matrix.rows) return "needs as many rows on the right"
  if (!fits(matrix.rows, right?.columns ?? 0, threads)) {
    return "does not fit the 4 GiB of a WebAssembly memory"
  }
  return undefined
}

/**
 * Memory that threads share does not count towards the next garbage collection, so that engines that
 * were let go would pile up. A buffer that nobody touches counts, and takes nothing.
 */
const callCollector = (bytes: number): number => new ArrayBuffer(bytes).byteLength

const mismatch = (
  { operation, matrix, right = matrix }: Job,
  problem: string,
): Effect.Effect<never, ShapeError> => {
  const shapes = [...new Set([matrix, right])].map(({ rows, columns }) => [rows, columns])
  return Effect.fail(new ShapeError({ operation, shapes, problem }))
}

/** Works for one turn; answers whether all is done. */
const advance = (steps: Steps): Effect.Effect<boolean, BadPivot | ThreadsLost> =>
  Effect.try({
    try: () => {
      const begun = performance.now()
      while (performance.now() - begun < turnMilliseconds) if (steps.next().done) return true
      return false
    },
    catch: (problem) => problem as BadPivot | ThreadsLost,
  })

/** One engine that is made when it is needed, and jobs that take turns with it. */
export class Workshop {
  readonly #turn = Semaphore.makeUnsafe(1)
  #options: EngineOptions
  #engine: Engine | undefined

  constructor(options: EngineOptions) {
    this.#options = options
  }

  /** Does a job; other fibers run meanwhile. */
  readonly do = (job: Job): Effect.Effect<Matrix.Matrix, NotPositiveDefinite | ShapeError> =>
    Effect.suspend((): Effect.Effect<Matrix.Matrix, NotPositiveDefinite | ShapeError> => {
      const problem = shapeProblem(job, this.#options.threads)
      if (problem !== undefined) return mismatch(job, problem)
      return this.#turn.withPermit(this.#attempt(job))
    })

  #attempt(job: Job): Effect.Effect<Matrix.Matrix, NotPositiveDefinite | ShapeError> {
    return this.#run(job).pipe(
      Effect.ensuring(this.#tidy),
      Effect.catch((problem) => {
        if (problem instanceof BadPivot) return refuse(job, problem)
        return problem instanceof NoRoom ? this.#apart(job) : this.#again(job, problem)
      }),
    )
  }

  #run({ matrix, right, load, steps, store }: Job) {
    return Effect.gen({ self: this }, function* () {
      const engine = (this.#engine ??= new Engine(this.#options))
      const work = yield* Effect.try({
        try: () => engine.prepare(matrix.rows, right?.columns),
        catch: (problem) => problem as ThreadsLost | NoRoom,
      })
      load(work)
      for (const begin of steps) {
        const running = begin(engine, work)
        while (!(yield* advance(running))) yield* Effect.yieldNow
      }
      return store(work)
    })
  }

  /** The operand is as it was: without the threads it takes longer. */
  #again(
    job: Job,
    { message }: ThreadsLost,
  ): Effect.Effect<Matrix.Matrix, NotPositiveDefinite | ShapeError> {
    return Effect.gen({ self: this }, function* () {
      yield* Effect.logWarning(`${message}; linear algebra goes on with one thread`)
      yield* this.close
      this.#options = { ...this.#options, threads: 1 }
      return yield* this.#attempt(job)
    })
  }

  /** In memory of its own, where that of the device is full. */
  #apart(job: Job): Effect.Effect<Matrix.Matrix, NotPositiveDefinite | ShapeError> {
    return Effect.gen({ self: this }, function* () {
      if (this.#options.pool === undefined) {
        return yield* mismatch(job, "does not fit the memory that there is")
      }
      yield* this.close
      this.#options = { ...this.#options, pool: undefined }
      return yield* this.#attempt(job)
    })
  }

  get #tidy(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#engine?.release()
      return (this.#engine?.ownBytes ?? 0) > keptBytes ? this.close : Effect.void
    })
  }

  /** Ends the threads and lets go of the memory. */
  readonly close: Effect.Effect<void> = Effect.promise(async () => {
    const engine = this.#engine
    this.#engine = undefined
    await engine?.stop()
    if (engine !== undefined) callCollector(engine.ownBytes)
  })
}

const refuse = (
  { layer = "matrix", matrix, numberOf = (row) => row }: Job,
  { row, value }: BadPivot,
): Effect.Effect<never, NotPositiveDefinite> =>
  Effect.fail(new NotPositiveDefinite({ layer, pivot: numberOf(row), value, size: matrix.rows }))
