import { Deferred, Effect } from "effect"
import { makeWaitingList } from "./step_order.ts"

/**
 * Does `run` for each of the tasks 0, 1, …: once all that it needs are done, at most `jobs` at the
 * same time, and of those that could begin the first one first. `run` tells of its own failures;
 * what it fails with ends everything. `needs` has no cycle.
 */
export const runTasks = <E, R>(
  needs: ReadonlyArray<ReadonlyArray<number>>,
  jobs: number,
  run: (task: number) => Effect.Effect<void, E, R>,
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const list = makeWaitingList(needs)
    let running = 0
    let changed = Deferred.makeUnsafe<void>()
    const settle = (task: number) =>
      Effect.suspend(() => {
        running--
        list.settle(task)
        const before = changed
        changed = Deferred.makeUnsafe<void>()
        return Deferred.succeed(before, undefined)
      })
    const worker = Effect.gen(function* () {
      while (true) {
        const task = list.take()
        if (task !== undefined) {
          running++
          yield* run(task)
          yield* settle(task)
        } else if (running > 0) yield* Deferred.await(changed)
        else return
      }
    })
    const workers = Math.max(1, Math.min(jobs, needs.length))
    return workers === 1
      ? worker
      : Effect.forEach(Array.from({ length: workers }), () => worker, {
          concurrency: workers,
          discard: true,
        })
  })
