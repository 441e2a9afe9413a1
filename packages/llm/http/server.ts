import { Config, Effect, Option, Redacted } from "effect"
import { Base64 } from "effect/encoding"
import { HttpClient } from "effect/http"
import { secretsOfUrl } from "../secrets.ts"
import { type DatedPrice, listPrice, type Price } from "../spending/prices.ts"
import type { Endpoint } from "./http_problem.ts"
import { makeGate } from "./rate_limit.ts"
import type { Transport, TransportOptions } from "./send.ts"

/** Where a server stands, and how to deal with it. */
export interface ServerOptions extends TransportOptions {
  /** By default what the environment names (`OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL`), else the vendor's own. */
  readonly baseUrl?: string
  /** By default the environment's (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`). Servers on one's own machine need none. */
  readonly apiKey?: Redacted.Redacted
  /**
   * Dollars for a million tokens, or `free`. By default the list price at the vendor's own server,
   * free on this machine, and unknown elsewhere.
   */
  readonly price?: Price | "free"
}

/** Whose API it is. */
export interface Vendor {
  readonly name: DatedPrice["provider"]
  readonly baseUrl: string
  readonly urlVariable: string
  readonly keyVariable: string
  /** The headers that show the key. */
  readonly headers: (key: Redacted.Redacted) => Endpoint["headers"]
  /** The headers of every request. */
  readonly always?: Readonly<Record<string, string>>
}

const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).hostname : "")

const isThisMachine = (host: string) =>
  host === "localhost" || host === "[::1]" || host.startsWith("127.") || host.endsWith(".localhost")

/** A URL with a path appended, its query kept; name and password go into a header of their own. */
const atPath = (baseUrl: string, path: string): string => {
  if (!URL.canParse(baseUrl)) return `${baseUrl}${path}`
  const url = new URL(baseUrl)
  url.username = ""
  url.password = ""
  url.pathname = `${url.pathname.replace(/\/+$/, "")}${path}`
  return url.href
}

/** The header that name and password in a URL stand for: `fetch` takes no such URL. */
const basicHeaders = (baseUrl: string): Endpoint["headers"] => {
  if (!URL.canParse(baseUrl)) return {}
  const { username, password } = new URL(baseUrl)
  if (username === "" && password === "") return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: Redacted.make(`Basic ${Base64.encode(pair)}`) }
}

/** What options and environment say of a server. */
export const resolveServer = Effect.fnUntraced(function* (vendor: Vendor, options: ServerOptions) {
  const { keyVariable } = vendor
  const keyThere = yield* Config.option(Config.Redacted(keyVariable))
  const urlThere = yield* Config.option(Config.String(vendor.urlVariable))
  const apiKey = options.apiKey ?? Option.getOrUndefined(keyThere)
  const baseUrl = options.baseUrl ?? Option.getOrElse(urlThere, () => vendor.baseUrl)
  const secrets = [
    ...(apiKey === undefined ? [] : [apiKey]),
    ...Option.toArray(keyThere),
    ...secretsOfUrl(baseUrl),
  ]
  const keyHint =
    apiKey === undefined
      ? `No key was given: set ${keyVariable}`
      : `Check ${keyVariable}, and that the key may use this model`
  const headers = {
    ...vendor.always,
    ...basicHeaders(baseUrl),
    ...(apiKey === undefined ? {} : vendor.headers(apiKey)),
  }
  const endpoint = (path: string): Endpoint => ({
    url: atPath(baseUrl, path),
    headers,
    secrets,
    keyHint,
  })
  const own = hostOf(baseUrl) === hostOf(vendor.baseUrl)
  const priceOf = (model: string): Price | "free" | undefined => {
    if (options.price !== undefined) return options.price
    if (isThisMachine(hostOf(baseUrl))) return "free"
    return own ? listPrice(vendor.name, model) : undefined
  }
  return { own, secrets, endpoint, priceOf }
})

/** Takes the HTTP client, and makes the gate of the rate limit. */
export const makeTransport = Effect.fnUntraced(function* (options: TransportOptions) {
  const transport: Transport = {
    client: yield* HttpClient.HttpClient,
    options,
    gate: yield* makeGate(options.rateLimit ?? {}),
  }
  return transport
})
