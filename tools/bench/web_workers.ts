import { createRequire } from "node:module"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { resolveObjectURL } from "node:buffer"
import threads from "node:worker_threads"

/** What a browser gives a worker and Node does not. */
const preamble = `
const { parentPort } = require("node:worker_threads");
globalThis.self = globalThis;
globalThis.postMessage ??= (message) => parentPort.postMessage(message);
parentPort.on("message", (data) => globalThis.onmessage?.({ data }));
`

/** tfjs's script is a function cut out of a bundle, where these had other names. */
const bundled = `
var require$$0 = require("fs"), require$$1 = require("path");
var require$$3 = require("perf_hooks"), require$$4 = require("os");
var commonjsGlobal = globalThis;
`

/**
 * Gives Node the browser's `Worker` over blobs, and makes its own accept them, so that tfjs and
 * jax-js, which thread only in browsers, thread here as well.
 */
export const installWebWorkers = (): void => {
  const NodeWorker = threads.Worker
  const folder = mkdtempSync(join(tmpdir(), "espalier-bench-"))
  process.once("exit", () => rmSync(folder, { recursive: true }))
  let files = 0

  /** A worker whose script is a blob: it starts once the blob has been read. */
  class BlobWorker {
    onmessage: ((event: { readonly data: unknown }) => void) | undefined
    onerror: ((error: Error) => void) | undefined
    #worker: threads.Worker | undefined
    /** Messages that wait for the script, or for a blob in one of them. */
    #last: Promise<void> | undefined
    readonly #listeners: Array<readonly [string, (value: unknown) => void]> = []

    constructor(url: string | URL) {
      const blob = resolveObjectURL(String(url))
      if (blob === undefined) throw new Error("only scripts in blobs are started here")
      this.#later(async () => this.#start(await blob.text()))
    }

    #start(script: string): void {
      const own = script.includes("nodeWorkerThreads") ? "" : preamble
      const worker = new NodeWorker(own + script, { eval: true })
      worker.unref()
      worker.on("message", (data) => this.onmessage?.({ data }))
      worker.on("error", (error) => this.onerror?.(error as Error))
      for (const [event, listener] of this.#listeners) worker.on(event, listener)
      this.#worker = worker
    }

    #later(work: () => Promise<void>): void {
      const done = (this.#last ?? Promise.resolve()).then(work).then(() => {
        if (this.#last === done) this.#last = undefined
      })
      this.#last = done
    }

    on(event: string, listener: (value: unknown) => void): this {
      this.#listeners.push([event, listener])
      return this
    }

    postMessage(message: Record<string, unknown>): void {
      const { urlOrBlob } = message
      if (urlOrBlob instanceof Blob) {
        const file = join(folder, `script${files++}.js`)
        return this.#later(async () => {
          writeFileSync(file, bundled + (await urlOrBlob.text()))
          this.#worker?.postMessage({ ...message, urlOrBlob: file })
        })
      }
      // Whoever posts may block until the worker answers, so nothing is put off without need.
      if (this.#last === undefined) this.#worker?.postMessage(message)
      else this.#later(async () => this.#worker?.postMessage(message))
    }

    ref(): void {}
    unref(): void {}
    terminate(): void {
      this.#later(async () => {
        await this.#worker?.terminate()
      })
    }
  }

  const given = function (url: string | URL, options?: threads.WorkerOptions) {
    return String(url).startsWith("blob:") ? new BlobWorker(url) : new NodeWorker(url, options)
  }
  createRequire(import.meta.url)("node:worker_threads").Worker = given
  Object.defineProperty(globalThis, "Worker", { value: given, configurable: true, writable: true })
}
