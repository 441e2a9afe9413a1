import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** Shared memory is there only for pages that shut others out. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
}

const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Espalier</title><script type="module" src="/page.js"></script>`

/** Serves the page and its scripts on a free port of this machine. */
export const serve = async (
  scripts: Readonly<Record<string, string>>,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> => {
  const server = createServer(({ url = "" }, response) => {
    const body = url === "/" ? page : scripts[url]
    response.writeHead(body === undefined ? 404 : 200, {
      ...isolation,
      "Content-Type": url === "/" ? "text/html" : "text/javascript",
    })
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
