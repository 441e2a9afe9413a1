import { suggest } from "@espalier/pipeline"
import {
  type Agent,
  buyAndHold,
  embeddedAgent,
  momentum,
  movingAverageCross,
  newsSentiment,
  profileOf,
  randomAgent,
} from "@espalier/trading"
import { Schema } from "effect"
import type { AiError, EmbeddingModel } from "effect/ai"

/** An agent that needs no language model. */
export type LocalAgent = Agent<AiError.AiError, EmbeddingModel.EmbeddingModel>

/** What every result is compared with. */
export const baselineNames = [
  "buy-and-hold",
  "random",
  "momentum",
  "moving-average-cross",
  "news-sentiment",
] as const

/** The agents that need no language model, by name. */
export const localAgentNames = [...baselineNames, "default"] as const

/** The name of such an agent. */
export type LocalAgentName = (typeof localAgentNames)[number]

/** Whether a word names such an agent. */
export const isLocalAgentName = (name: string): name is LocalAgentName =>
  localAgentNames.some((known) => known === name)

/** Makes such an agent. */
export const makeLocalAgent = (
  name: LocalAgentName,
  { asset, seed }: { readonly asset: string; readonly seed: number },
): LocalAgent => {
  switch (name) {
    case "buy-and-hold":
      return buyAndHold()
    case "random":
      return randomAgent({ seed })
    case "momentum":
      return momentum()
    case "moving-average-cross":
      return movingAverageCross()
    case "news-sentiment":
      return newsSentiment()
    case "default":
      return embeddedAgent({ profile: profileOf(asset) })
  }
}

/** A name that is neither an agent's nor a file's. */
export class UnknownAgent extends Schema.TaggedError<UnknownAgent>()("UnknownAgent", {
  agent: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `--agent ${this.agent}: there is no such agent, and no such file`
  }
}

/** The error for a name that nothing has. */
export const unknownAgent = (agent: string): UnknownAgent => {
  const file = 'a file of decisions, { "YYYY-MM-DD": "buy" }'
  return new UnknownAgent({
    agent,
    hint:
      agent === "llm"
        ? `a language model decides in espalier trade test --provider …; score what it wrote there, or ${file}`
        : `${suggest(agent, localAgentNames, "agents")}; or name ${file}`,
  })
}
