import { Effect, type Scope } from "effect"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A request as the server saw it. */
export interface SeenRequest {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

/** How a request is answered. */
export type Reply = (response: ServerResponse, request: SeenRequest) => void

/** A server on this machine, and what it was asked. */
export interface LoopbackServer {
  readonly url: string
  readonly seen: ReadonlyArray<SeenRequest>
}

/** Starts a real HTTP server that answers each request with the next reply, and the last ever after. */
export const startServer = (
  ...replies: ReadonlyArray<Reply>
): Effect.Effect<LoopbackServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: LoopbackServer; readonly stop: () => void }>((resume) => {
      const seen: Array<SeenRequest> = []
      const http = createServer((incoming, response) => {
        const chunks: Array<Buffer> = []
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
        incoming.on("end", () => {
          const body = JSON.parse(Buffer.concat(chunks).toString("utf8"))
          const request = { url: incoming.url ?? "", headers: incoming.headers, body }
          const reply = replies[Math.min(seen.length, replies.length - 1)]
          seen.push(request)
          reply(response, request)
        })
      })
      http.listen(0, "127.0.0.1", () => {
        const { port } = http.address() as AddressInfo
        const stop = () => {
          http.closeAllConnections()
          http.close()
        }
        resume(Effect.succeed({ server: { url: `http://127.0.0.1:${port}`, seen }, stop }))
      })
    }),
    ({ stop }) => Effect.sync(stop),
  ).pipe(Effect.map(({ server }) => server))

/** Answers with JSON. */
export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify(body))
  }

/** Answers with a text of any kind. */
export const text =
  (body: string, status = 200, type = "text/html"): Reply =>
  (response) => {
    response.writeHead(status, { "content-type": type })
    response.end(body)
  }

/** What comes after the bytes of a stream. */
export type StreamEnd = "end" | "cut" | "stall"

/** Sends bytes piece by piece, and ends, cuts the connection or says nothing more. */
export const stream =
  (pieces: ReadonlyArray<string | Uint8Array>, end: StreamEnd = "end"): Reply =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    const send = (index: number): void => {
      if (index < pieces.length) {
        response.write(pieces[index], () => setImmediate(() => send(index + 1)))
      } else if (end === "end") response.end()
      else if (end === "cut") setTimeout(() => response.destroy(), 20)
    }
    send(0)
  }

/** Server-sent events with JSON as their data. */
export const events = (...data: ReadonlyArray<unknown>): string =>
  data.map((item) => `data: ${typeof item === "string" ? item : JSON.stringify(item)}\n\n`).join("")

/** A chat completion with a text. */
export const completion = (content: string, extra: Record<string, unknown> = {}) => ({
  id: "c1",
  model: "m",
  choices: [{ message: { role: "assistant", content }, finish_reason: "stop" }],
  usage: { prompt_tokens: 11, completion_tokens: 7 },
  ...extra,
})

/** The events of a streamed chat completion. */
export const completionEvents = (...deltas: ReadonlyArray<string>): string =>
  events(
    ...deltas.map((content) => ({ id: "c1", model: "m", choices: [{ delta: { content } }] })),
    { choices: [{ delta: {}, finish_reason: "stop" }] },
    { choices: [], usage: { prompt_tokens: 11, completion_tokens: deltas.length } },
    "[DONE]",
  )
