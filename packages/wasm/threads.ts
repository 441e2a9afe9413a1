import type { LoadedKernel } from "./kernels.ts"
import type { Stage } from "./loops.ts"
import type { WorkerMessage } from "./thread_protocol.ts"
import { at, controlLength, mostOperands, mostParts, workOn } from "./thread_protocol.ts"
import type { StartWorker, WorkerHandle } from "./workers.ts"

/** A worker thread died or broke off. */
export class ThreadsLost extends Error {}

/** Stages with less work (in vector instructions) run on the calling thread alone. */
const leastWork = 40_000

/** Looks at the count of finished parts before going to sleep. */
const spins = 20_000

/** A worker that takes longer for its part than this is given up. */
const patienceMilliseconds = 120_000

/** The main thread of a page must not sleep. */
const mayWait = (control: Int32Array): boolean => {
  try {
    Atomics.wait(control, at.done, Atomics.load(control, at.done) + 1, 0)
    return true
  } catch {
    return false
  }
}

/** The calling thread and its workers. */
export class Threads {
  readonly count: number
  readonly #control: Int32Array
  readonly #workers: ReadonlyArray<WorkerHandle>
  readonly #mayWait: boolean
  readonly #known = new Set<number>()
  #generation = 0
  #problem: string | undefined
  #stopping = false

  /** Starts up to `count − 1` workers. */
  constructor(count: number, memory: WebAssembly.Memory, startWorker: StartWorker) {
    this.#control = new Int32Array(new SharedArrayBuffer(4 * controlLength))
    Atomics.store(this.#control, at.claim, 0xff)
    this.#mayWait = mayWait(this.#control)
    const workers: Array<WorkerHandle> = []
    const onProblem = (problem: string): void => {
      if (!this.#stopping) this.#problem ??= problem
    }
    try {
      while (workers.length < count - 1) {
        const start = { control: this.#control, memory, thread: workers.length + 1 }
        workers.push(startWorker(start, onProblem))
      }
    } catch {
      // The system or a policy gives no more threads: fewer do the same work.
    }
    this.#workers = workers
    this.count = workers.length + 1
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
    const grains = Math.ceil(stage.extent / stage.grain)
    const parts = Math.min(mostParts, this.count * stage.partsPerThread, grains)
    this.#generation = (this.#generation + 1) & 0xffffff
    // From here on no part of the last job can be claimed; only then may its description change.
    Atomics.store(control, at.claim, (this.#generation << 8) | 0xff)
    control[at.kernel] = kernel.id
    control[at.stage] = index
    control[at.parts] = parts
    control[at.grain] = stage.grain
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
    for (const { wake } of this.#workers) wake?.()
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
    for (const worker of this.#workers) worker.send(message)
  }

  #await(parts: number): void {
    const control = this.#control
    for (let i = 0; i < spins; i++) if (Atomics.load(control, at.done) === parts) return
    const begun = performance.now()
    for (;;) {
      const done = Atomics.load(control, at.done)
      if (done === parts) return
      // Where waiting is forbidden, what is left are the parts that other threads are at.
      if (this.#mayWait) Atomics.wait(control, at.done, done, patienceMilliseconds)
      if (performance.now() - begun > patienceMilliseconds) {
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
    await Promise.all(this.#workers.map((worker) => worker.stop()))
  }
}
