import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import type { PartFunction, WorkerMessage, WorkerStart } from "./thread_protocol.ts"
import { at, workOn } from "./thread_protocol.ts"

/** Looks at the signal before going to sleep: some tens of microseconds. */
const spins = 20_000

const { control, memory, thread } = workerData as WorkerStart
const kernels = new Map<number, ReadonlyArray<PartFunction>>()

/** Messages are read here and nowhere else: this thread never returns to its event loop. */
const readMessages = (): void => {
  for (;;) {
    const received = parentPort === null ? undefined : receiveMessageOnPort(parentPort)
    if (received === undefined) return
    const message = received.message as WorkerMessage
    if ("forget" in message) kernels.delete(message.forget)
    else {
      const { exports } = new WebAssembly.Instance(message.module, { env: { memory } })
      kernels.set(
        message.kernel,
        message.names.map((name) => exports[name] as PartFunction),
      )
    }
  }
}

const find = (kernel: number, stage: number): PartFunction | undefined => {
  if (!kernels.has(kernel)) readMessages()
  return kernels.get(kernel)?.[stage]
}

const sleep = (seen: number): void => {
  for (let i = 0; i < spins; i++) if (Atomics.load(control, at.signal) !== seen) return
  Atomics.add(control, at.sleepers, 1)
  Atomics.wait(control, at.signal, seen)
  Atomics.sub(control, at.sleepers, 1)
}

for (;;) {
  const seen = Atomics.load(control, at.signal)
  if (Atomics.load(control, at.stop) !== 0) break
  workOn(control, thread, find)
  sleep(seen)
}
