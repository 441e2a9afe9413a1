import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"

/** What happens to a request instead of its being handed on: silence, or an answer. */
export type Fault = "silence" | "break off" | { readonly status: number; readonly body?: string }

/** One request, as a test sees it. */
export interface Passing {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: string
}

/** A way to a service, on loopback, that hands on what comes and can be told to fail. */
export const makeGate = async (service: string) => {
  const passed: Array<Passing> = []
  let fault: (passing: Passing) => Fault | undefined = () => undefined
  let change: (passing: Passing, status: number) => number = (_, status) => status

  const handOn = (passing: Passing, from: IncomingMessage, to: ServerResponse) => {
    const onward = request(
      new URL(from.url ?? "/", service),
      { method: from.method, headers: from.headers },
      (answer) => {
        to.writeHead(change(passing, answer.statusCode ?? 502), answer.headers)
        answer.pipe(to)
      },
    )
    onward.on("error", () => to.destroy())
    from.pipe(onward)
  }

  const server = createServer((from, to) => {
    const [path, query = ""] = (from.url ?? "").split("?")
    const passing = { method: from.method ?? "", path, query }
    passed.push(passing)
    const wrong = fault(passing)
    if (wrong === undefined) return handOn(passing, from, to)
    from.resume()
    if (wrong === "silence") return
    if (wrong === "break off") {
      to.writeHead(200, { "content-length": 1000 })
      to.write("half of it")
      setTimeout(() => to.destroy(), 20)
      return
    }
    from.on("end", () => to.writeHead(wrong.status).end(wrong.body ?? ""))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0

  return {
    endpoint: `http://127.0.0.1:${port}`,
    passed,
    /** Says from now on which requests fail, and how. */
    failWhen: (when: typeof fault) => void (fault = when),
    /** Gives other statuses than the service did. */
    changeStatus: (to: typeof change) => void (change = to),
    reset: () => {
      fault = () => undefined
      change = (_, status) => status
      passed.length = 0
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
