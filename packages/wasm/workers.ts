import type { WorkerMessage, WorkerStart } from "./thread_protocol.ts"

/** One worker thread, whatever the platform. */
export interface WorkerHandle {
  readonly send: (message: WorkerMessage) => void
  /** Lets the worker look for a job, where it waits for messages instead of the signal. */
  readonly wake: (() => void) | undefined
  readonly stop: () => Promise<unknown>
}

/** Starts a worker. `onProblem` is called when it is gone. */
export type StartWorker = (start: WorkerStart, onProblem: (problem: string) => void) => WorkerHandle

const builtin = <Name extends "node:worker_threads" | "node:os">(name: Name) =>
  typeof process === "undefined" ? undefined : process.getBuiltinModule?.(name)

/** Node: the worker never returns to its event loop; it sleeps on the signal. */
const nodeWorkers = (): StartWorker | undefined => {
  const library = builtin("node:worker_threads")
  if (library === undefined) return undefined
  const file = import.meta.url.endsWith(".ts")
    ? new URL("./worker.ts", import.meta.url)
    : new URL("./worker.js", import.meta.url)
  return (workerData, onProblem) => {
    const worker = new library.Worker(file, { workerData, name: "espalier" })
    worker.on("error", (error) => onProblem(`a worker thread failed: ${(error as Error).message}`))
    worker.on("exit", () => onProblem("a worker thread ended"))
    // A device that nobody closes must not keep the process alive.
    worker.unref()
    return {
      send: (message) => worker.postMessage(message, []),
      wake: undefined,
      stop: () => worker.terminate(),
    }
  }
}

/** A page that may share memory: the worker waits for messages, as workers there have to. */
const browserWorkers = (): StartWorker | undefined => {
  if (typeof Worker !== "function" || !globalThis.crossOriginIsolated) return undefined
  return (start) => {
    // A worker that does not load takes no part: the calling thread does its share.
    const worker = new Worker(new URL("./browser_worker.js", import.meta.url), {
      type: "module",
      name: "espalier",
    })
    worker.postMessage(start, [])
    return {
      send: (message) => worker.postMessage(message, []),
      wake: () => worker.postMessage("work", []),
      stop: async () => worker.terminate(),
    }
  }
}

/** How workers are started here; `undefined` where there are none. */
export const workersHere = (): StartWorker | undefined => nodeWorkers() ?? browserWorkers()

/** How many threads to use by default: one in a page. */
export const availableThreads = (): number => {
  if (nodeWorkers() === undefined) return 1
  return Math.min(4, builtin("node:os")?.availableParallelism() ?? 1)
}
