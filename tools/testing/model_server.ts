import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** What a server answers with, each time or by what it is asked. */
type Answer = string | ((request: string) => string)

/** A server on loopback that speaks OpenAI's chat completions. */
export const startModelServer = async (answer: Answer) => {
  const requests: Array<string> = []
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (piece: Buffer) => (body += piece.toString()))
    request.on("end", () => {
      requests.push(body)
      const content = typeof answer === "string" ? answer : answer(body)
      const message = { role: "assistant", content }
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
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    /** With the path of the API. */
    url: `http://127.0.0.1:${port}/v1`,
    /** The bodies that came, in order. */
    requests,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
