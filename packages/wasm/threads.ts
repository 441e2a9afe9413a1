import type { Worker } from "node:worker_threads"
import type { LoadedKernel } from "./kernels.ts"
import type { Stage } from "./loops.ts"
import type { WorkerMessage, WorkerStart } from "./thread_protocol.ts"
import { at, controlLength, mostOperands, mostParts, workOn } from "./thread_protocol.ts"

/** A worker thread died or broke off. */
export class ThreadsLost extends Error {}

/** Stages with less work (in vector instructions) run on the calling thread alone. */
const leastWork = 40_000

/** Looks at the count of finished parts before going to sleep. */
const spins = 4000

/** A worker that takes longer for its part than this is given up. */
const patienceMilliseconds = 120_000

const builtin = <Name extends "node:worker_threads" | "node:os">(name: Name) =>
  typeof process === "undefined" ? undefined : process.getBuiltinModule?.(name)

/** True where this package can start worker threads. */
export const hasWorkers = (): boolean => builtin("node:worker_threads") !== undefined

/** How many threads to use by default. */
export const availableThreads = (): number => {
  if (!hasWorkers()) return 1
  return Math.min(4, builtin("node:os")?.availableParallelism() ?? 1)
}

/** The calling thread and its workers. */
export class Threads {
  readonly count: number
  readonly #control: Int32Array
  readonly #workers: ReadonlyArray<Worker>
  readonly #known = new Set<number>()
  #generation = 0
  #problem: string | undefined
  #stopping = false

  private constructor(control: Int32Array, workers: ReadonlyArray<Worker>) {
    this.#control = control
    this.#workers = workers
    this.count = workers.length + 1
    for (const worker of workers) {
      worker.on("error", (error) => {
        this.#problem ??= `a worker thread failed: ${(error as Error).message}`
      })
      worker.on("exit", () => {
        if (!this.#stopping) this.#problem ??= "a worker thread ended"
      })
      // A device that nobody closes must not keep the process alive.
      worker.unref()
    }
  }

  /** Starts `count − 1` workers; `undefined` where there are no worker threads. */
  static start(count: number, memory: WebAssembly.Memory): Threads | undefined {
    const library = builtin("node:worker_threads")
    if (library === undefined) return undefined
    const control = new Int32Array(new SharedArrayBuffer(4 * controlLength))
    Atomics.store(control, at.claim, 0xff)
    const file = import.meta.url.endsWith(".ts")
      ? new URL("./worker.ts", import.meta.url)
      : new URL("./worker.js", import.meta.url)
    const workers = Array.from({ length: count - 1 }, (_, i) => {
      const workerData: WorkerStart = { control, memory, thread: i + 1 }
      return new library.Worker(file, { workerData, name: "espalier" })
    })
    return new Threads(control, workers)
  }

  /** Throws when a worker is gone. */
  check(): void {
    if (this.#problem !== undefined) throw new ThreadsLost(this.#problem)
  }

  /** True when a stage is worth sharing. */
  pays(stage: Stage): boolean {
    return stage.work >= leastWork && stage.extent >= 2 * stage.grain
  }

  /** Runs one stage of a kernel on all threads. */
  run(
    kernel: LoadedKernel,
    index: number,
    scratch: number,
    scratchBytes: number,
    shared: number,
    bases: ReadonlyArray<number>,
  ): void {
    const stage = kernel.code.stages[index]
    if (bases.length > mostOperands) {
      kernel.functions[index](0, stage.extent, scratch, shared, ...bases)
      return
    }
    this.#introduce(kernel)
    const control = this.#control
    const wanted = Math.min(mostParts, this.count * stage.partsPerThread)
    const size = Math.ceil(stage.extent / wanted / stage.grain) * stage.grain
    const parts = Math.ceil(stage.extent / size)
    this.#generation = (this.#generation + 1) & 0xffffff
    // From here on no part of the last job can be claimed; only then may its description change.
    Atomics.store(control, at.claim, (this.#generation << 8) | 0xff)
    control[at.kernel] = kernel.id
    control[at.stage] = index
    control[at.parts] = parts
    control[at.partSize] = size
    control[at.extent] = stage.extent
    control[at.scratch] = scratch
    control[at.scratchBytes] = scratchBytes
    control[at.shared] = shared
    control[at.operands] = bases.length
    control.set(bases, at.bases)
    Atomics.store(control, at.done, 0)
    Atomics.store(control, at.claim, this.#generation << 8)
    Atomics.add(control, at.signal, 1)
    if (Atomics.load(control, at.sleepers) > 0) Atomics.notify(control, at.signal)
    workOn(control, 0, (_, stageIndex) => kernel.functions[stageIndex])
    this.#await(parts)
    if (Atomics.load(control, at.failed) !== 0) {
      this.#problem ??= "a worker thread could not compute its part"
      this.check()
    }
  }

  #introduce(kernel: LoadedKernel): void {
    if (this.#known.has(kernel.id)) return
    this.#known.add(kernel.id)
    const { id, module, code } = kernel
    this.#send({ kernel: id, module, names: code.stages.map((stage) => stage.name) })
  }

  #send(message: WorkerMessage): void {
    for (const worker of this.#workers) worker.postMessage(message, [])
  }

  #await(parts: number): void {
    const control = this.#control
    for (let i = 0; i < spins; i++) if (Atomics.load(control, at.done) === parts) return
    for (;;) {
      const done = Atomics.load(control, at.done)
      if (done === parts) return
      if (Atomics.wait(control, at.done, done, patienceMilliseconds) === "timed-out") {
        this.#problem ??= "a worker thread gave no answer for two minutes"
        this.check()
      }
    }
  }

  /** Lets the workers drop a kernel. */
  forget(id: number): void {
    if (this.#known.delete(id)) this.#send({ forget: id })
  }

  /** Ends the workers. */
  async stop(): Promise<void> {
    this.#stopping = true
    Atomics.store(this.#control, at.stop, 1)
    Atomics.add(this.#control, at.signal, 1)
    Atomics.notify(this.#control, at.signal)
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}
