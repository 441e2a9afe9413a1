/**
 * How the calling thread and the workers share a job: a block of 32-bit integers that all of them
 * see. Parts of a job are claimed one by one, so that a thread that was put to sleep by the system
 * holds nobody up; who computes which part has no influence on the result.
 */

/** Places in the control block. */
export const at = {
  /** Grows with every job; workers sleep on it. */
  signal: 0,
  /** `generation << 8 | next part`; claimed by compare-and-exchange. */
  claim: 1,
  /** Finished parts of the job; the caller sleeps on it. */
  done: 2,
  /** Not 0: a worker failed. */
  failed: 3,
  /** Not 0: workers leave. */
  stop: 4,
  /** Workers that sleep. */
  sleepers: 5,
  kernel: 6,
  stage: 7,
  parts: 8,
  grain: 9,
  extent: 10,
  scratch: 11,
  scratchBytes: 12,
  shared: 13,
  operands: 14,
  bases: 15,
} as const

/** Most operands of a shared kernel. */
export const mostOperands = 240

/** Most parts of a job: the number of the next part has 8 bits, and 255 means that none is left. */
export const mostParts = 254

/** Integers in the control block. */
export const controlLength: number = at.bases + mostOperands

/** What a worker is started with. */
export interface WorkerStart {
  readonly control: Int32Array
  readonly memory: WebAssembly.Memory
  /** Which thread it is; the caller is 0. */
  readonly thread: number
}

/** Sent to workers before the first job with a kernel, or when a kernel is no longer needed. */
export type WorkerMessage =
  | {
      readonly kernel: number
      readonly module: WebAssembly.Module
      readonly names: ReadonlyArray<string>
    }
  | { readonly forget: number }

/** A stage function as both sides call it. */
export type PartFunction = (...parameters: ReadonlyArray<number>) => void

/** Takes the next part of the job that `claimed` belongs to; −1 when there is none. */
const take = (control: Int32Array, generation: number, parts: number): number => {
  for (;;) {
    const claimed = Atomics.load(control, at.claim)
    const part = claimed & 0xff
    if (claimed >>> 8 !== generation || part >= parts) return -1
    if (Atomics.compareExchange(control, at.claim, claimed, claimed + 1) === claimed) return part
  }
}

/**
 * Computes parts of the current job until none is left. `find` gives the function of a kernel's
 * stage, or nothing where this thread does not know it. Answers how many parts were computed.
 */
export const workOn = (
  control: Int32Array,
  thread: number,
  find: (kernel: number, stage: number) => PartFunction | undefined,
): number => {
  const claimed = Atomics.load(control, at.claim)
  const generation = claimed >>> 8
  // Read before the first part is claimed: the claim fails if the job has changed since.
  const [kernel, stage] = [control[at.kernel], control[at.stage]]
  const [parts, grain, extent] = [control[at.parts], control[at.grain], control[at.extent]]
  // Grains are dealt out evenly: parts differ by one at most.
  const grains = Math.ceil(extent / grain)
  const bound = (part: number): number =>
    Math.min(extent, grain * Math.floor((part * grains) / parts))
  const scratch = control[at.scratch] + thread * control[at.scratchBytes]
  const shared = control[at.shared]
  const bases = control.subarray(at.bases, at.bases + control[at.operands])
  let computed = 0
  if ((claimed & 0xff) >= parts) return 0
  const compute = find(kernel, stage)
  if (compute === undefined) return 0
  for (;;) {
    const part = take(control, generation, parts)
    if (part < 0) return computed
    try {
      compute(bound(part), bound(part + 1), scratch, shared, ...bases)
      computed++
    } catch (error) {
      Atomics.store(control, at.failed, 1)
      throw error
    } finally {
      if (Atomics.add(control, at.done, 1) + 1 === parts) Atomics.notify(control, at.done)
    }
  }
}
