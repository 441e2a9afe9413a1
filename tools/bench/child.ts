import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Reply, Request } from "./protocol.ts"

/** How the process of a contestant is started. */
export interface Command {
  readonly file: string
  readonly arguments: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
}

/** Longest wait for one reply: a kernel compiler in software takes its time. */
const patienceMilliseconds = 600_000

/** A process that is told to end gets this long. */
const farewellMilliseconds = 3000

/** A contestant's process and the conversation with it. */
export class Child {
  readonly #process: ChildProcess
  readonly #waiting: Array<(reply: Reply) => void> = []
  /** The last words on standard error, for whoever has to find out why it ended. */
  #words = ""
  #ended: string | undefined

  constructor(command: Command) {
    const env = { ...process.env, ...command.environment }
    this.#process = spawn(command.file, [...command.arguments], { env, stdio: "pipe" })
    const { stdout, stderr, stdin } = this.#process
    stderr?.on("data", (data) => (this.#words = (this.#words + String(data)).slice(-2000)))
    stdin?.on("error", () => {})
    createInterface({ input: stdout! }).on("line", (line) => {
      if (line.startsWith("{")) this.#waiting.shift()?.(JSON.parse(line) as Reply)
    })
    this.#process.on("error", (error) => this.#end(error.message))
    this.#process.on("close", (code, signal) =>
      this.#end(`ended with ${signal ?? `code ${code}`}: ${this.#words.trim()}`),
    )
  }

  #end(why: string): void {
    this.#ended ??= why
    for (const resolve of this.#waiting.splice(0)) resolve({ say: "failed", why: this.#ended })
  }

  /** One request, one reply. A process that ended answers `failed`. */
  ask(request: Request): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.resolve({ say: "failed", why: this.#ended })
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#process.kill("SIGKILL")
        this.#end(`gave no answer for ${patienceMilliseconds / 60_000} minutes`)
      }, patienceMilliseconds)
      this.#waiting.push((reply) => {
        clearTimeout(timer)
        resolve(reply)
      })
      this.#process.stdin?.write(`${JSON.stringify(request)}\n`)
    })
  }

  /** Lets the process end, and returns when it is gone. */
  async stop(): Promise<void> {
    if (this.#ended !== undefined) return
    const gone = new Promise((resolve) => this.#process.once("close", resolve))
    // The end of its input tells it to go; whoever is stuck does not hear that.
    this.#process.stdin?.end()
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), farewellMilliseconds)
    await gone
    clearTimeout(timer)
  }
}
