import { Worker } from "node:worker_threads"

/**
 * Ends this process when its parent is gone, also while a step keeps the event loop busy: a thread of
 * its own looks after the parent.
 */
const source = `
const parent = process.ppid
const isAlive = () => {
  try {
    process.kill(parent, 0)
    return process.ppid === parent
  } catch {
    return false
  }
}
setInterval(() => {
  if (!isAlive()) process.kill(process.pid, "SIGKILL")
}, 250)
`

/** See above; costs a thread that sleeps. */
export const watchParent = (): void => {
  process.on("disconnect", () => process.exit(1))
  new Worker(source, { eval: true, execArgv: [], env: {} }).unref()
}
