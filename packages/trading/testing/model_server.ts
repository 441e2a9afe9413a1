import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** A server on loopback that speaks OpenAI's chat completions and always answers the same. */
export const startModelServer = (answer: string) =>
  Effect.acquireRelease(
    Effect.callback<{
      readonly url: string
      readonly requests: () => number
      readonly close: () => void
    }>((resume) => {
      let requests = 0
      const server = createServer((request, response) => {
        requests++
        request.resume()
        request.on("end", () => {
          const message = { role: "assistant", content: answer }
          response.setHeader("content-type", "application/json")
          response.end(
            JSON.stringify({
              id: "1",
              object: "chat.completion",
              created: 0,
              model: "test",
              choices: [{ index: 0, message, finish_reason: "stop" }],
              usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
            }),
          )
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => void server.close()
        resume(
          Effect.succeed({ url: `http://127.0.0.1:${port}/v1`, requests: () => requests, close }),
        )
      })
    }),
    ({ close }) => Effect.sync(close),
  )
