import type { PartFunction, WorkerMessage, WorkerStart } from "./thread_protocol.ts"
import { workOn } from "./thread_protocol.ts"

/** The worker of a page: it does what messages say and waits for the next one. */

let start: WorkerStart | undefined
const kernels = new Map<number, ReadonlyArray<PartFunction>>()

const receive = (memory: WebAssembly.Memory, message: WorkerMessage): void => {
  if ("forget" in message) {
    kernels.delete(message.forget)
    return
  }
  const { exports } = new WebAssembly.Instance(message.module, { env: { memory } })
  kernels.set(
    message.kernel,
    message.names.map((name) => exports[name] as PartFunction),
  )
}

type Message = MessageEvent<WorkerStart | WorkerMessage | "work">

globalThis.addEventListener("message", ({ data }: Message) => {
  if (data === "work") {
    // A job that is newer than the last message may need a kernel that is still on its way: then
    // there is another message on its way, too.
    if (start !== undefined) {
      workOn(start.control, start.thread, (kernel, stage) => kernels.get(kernel)?.[stage])
    }
  } else if ("control" in data) start = data
  else if (start !== undefined) receive(start.memory, data)
})
